// In place of the face: a code to show at the counter, where staff look at the ID card.

import { make, moment } from "../dom.js";
import { words } from "../words/identity.js";

export const title = () => words().counter;

export async function render(phone) {
  const told = await phone.api.openCounterCheck();
  const verified = told.verification_state === "VERIFIED";
  return {
    body: [
      make(
        "section",
        { class: "card centred" },
        make("p", {}, words().show_code),
        told.code ? make("p", { class: "big-code", "aria-label": told.code.split("").join(" ") }, told.code) : null,
        make("p", {}, words().counter_state[told.state] ?? told.state),
        told.refusal ? make("p", { lang: "zh-CN" }, told.refusal) : null,
        make("p", { class: "hint" }, words().good_until(moment(told.expires_at))),
      ),
    ],
    foot: [
      phone.button(words().look_again, () => (verified ? phone.reset("home") : phone.redraw()), "wide"),
      phone.button(
        words().take_back,
        async () => {
          await phone.api.withdrawCounterCheck();
          await phone.back();
        },
        "quiet wide",
      ),
    ],
  };
}
