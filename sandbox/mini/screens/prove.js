// The way to a verified person: asks the API what comes next, and goes there. Each step comes back here when it is done.

import { icon, make } from "../dom.js";
import { words } from "../words/identity.js";
import { words as common } from "../words/phone.js";

export const opens = ["PROVE_IDENTITY"];
export const title = () => words().prove;

export async function render(phone, { by } = {}) {
  const { next_step: next } = await phone.api.readMenu();
  if (!next) {
    const me = await phone.api.readMe();
    phone.session.changed(me.account);
    return {
      body: make(
        "section",
        { class: "success" },
        icon("done"),
        make("h3", {}, by === "FACE" ? words().face_passed : words().passed),
        make("p", { class: "number" }, `${me.account.name ?? ""} ${me.account.id_number ?? ""}`),
        make("p", { class: "hint" }, words().alive),
      ),
      foot: phone.button(common().back_home, () => phone.reset("home"), "wide"),
    };
  }
  const step = { CONSENT: "consent", REAL_NAME: "real_name", FACE: "face", WITHOUT_FACE: "ways" }[next.step];
  const params = next.step === "CONSENT" ? { purpose: next.purpose, then: "prove", without_face: next.without_face } : { by };
  phone.replace(step, params);
  return [];
}
