// 人脸核验: 继续 opens the platform's camera; its verdict is told by the platform's server, never by the phone. Declining is a choice.

import { icon, make } from "../dom.js";
import { words } from "../words/identity.js";
import { waysList } from "./ways.js";

export const title = () => words().face;

// The platform's own page over the program, with what a visitor may let happen there.
function camera(phone, check) {
  return new Promise((resolve, reject) => {
    const act = (outcome) => async (event) => {
      event.currentTarget.disabled = true;
      try {
        await phone.platform.showFace(check.launch, outcome);
        resolve(outcome);
      } catch (error) {
        reject(error);
      } finally {
        phone.shell.lift();
      }
    };
    const lever = (outcome, kind) => make("button", { type: "button", class: kind, "data-outcome": outcome, onclick: act(outcome) }, words().camera[outcome]);
    const first = lever("passed", "wide");
    first.dataset.focus = "";
    phone.shell.lay(
      make(
        "section",
        { class: "camera", role: "dialog", "aria-modal": "true", "aria-label": words().camera.title },
        make("h3", {}, words().camera.title),
        make("div", { class: "lens", "aria-hidden": "true" }, icon("face")),
        make("p", {}, words().camera.hint),
        first,
        lever("failed", "quiet wide"),
        lever("declined", "quiet wide"),
        lever("abandoned", "quiet wide"),
      ),
    );
  });
}

export async function render(phone, { ended }) {
  if (ended) return afterwards(phone, ended);
  const go = phone.button(
    words().go_on,
    async () => {
      const device = phone.platform.device();
      const check = await phone.api.startFaceCheck(device ? { device } : {});
      await camera(phone, check);
      const told = await phone.api.finishFaceCheck({ check_id: check.id });
      if (told.verification_state === "VERIFIED") await phone.replace("prove", { by: "FACE" });
      else await phone.replace("face", { ended: told });
    },
    "wide",
  );
  const around = phone.button(words().without_face, () => phone.replace("ways"), "quiet wide");
  return {
    body: [
      make("div", { class: "lens small", "aria-hidden": "true" }, icon("face")),
      make("section", { class: "card" }, make("p", {}, words().face_hint), make("p", { class: "hint" }, words().face_choice)),
    ],
    foot: [go, around],
  };
}

function afterwards(phone, ended) {
  return {
    body: [
      make("section", { class: "card" }, make("h3", {}, words().face_state[ended.state] ?? ended.state), ended.advice ? make("p", { lang: "zh-CN" }, ended.advice) : null),
      waysList(phone, ended.ways),
    ],
    foot: [
      phone.button(words().face_again, () => phone.replace("face"), "quiet wide"),
      ended.ways.length ? null : phone.button(words().without_face, () => phone.replace("ways"), "quiet wide"),
    ],
  };
}
