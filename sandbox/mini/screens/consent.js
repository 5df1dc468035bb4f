// One text for one purpose: read it, tick it oneself, agree. Where it asks for time, the time runs from opening it.

import { make } from "../dom.js";
import { tick } from "../forms.js";
import { words } from "../words/identity.js";
import { words as common } from "../words/phone.js";

export const title = () => words().consent;

async function waitToRead(phone, notice, show) {
  if (!notice.reading_seconds || notice.given) return;
  const { purpose, version, text_hash } = notice;
  const told = await phone.api.openNotice({ purpose, version, text_hash });
  const until = new Date(told.may_agree_at).getTime();
  const step = () => {
    const left = Math.ceil((until - Date.now()) / 1000);
    show(Math.max(left, 0));
    if (left > 0) setTimeout(step, 500);
  };
  step();
}

// `then`: the screen to go on with once agreed; without it, back to whoever asked.
export async function render(phone, { purpose, then, then_params: thenParams, without_face: withoutFace }) {
  const notice = (await phone.api.listNotices()).notices.find((each) => each.purpose === purpose);
  if (!notice) throw new Error(purpose);
  const onward = () => (then ? phone.replace(then, thenParams ?? {}) : phone.back());
  let left = 0;
  let ticked = false;
  const agree = phone.button(
    words().agree,
    async () => {
      const { version, text_hash } = notice;
      await phone.api.createConsent({ purpose, version, text_hash });
      await onward();
    },
    "wide",
  );
  const redraw = () => {
    agree.disabled = !ticked || left > 0;
    agree.textContent = left > 0 ? words().read_on(left) : words().agree;
  };
  const box = tick(words().i_agree(notice.title), (now) => {
    ticked = now;
    redraw();
  });
  redraw();
  await waitToRead(phone, notice, (seconds) => {
    left = seconds;
    redraw();
  });
  const refuse = phone.button(words().disagree, () => phone.back(), "quiet wide");
  const around = purpose === "FACE" ? phone.button(words().without_face, () => phone.replace("ways"), "quiet wide") : null;
  return {
    body: [
      make(
        "article",
        { class: "card text", lang: "zh-CN" },
        make("h3", {}, notice.title),
        make("p", { class: "hint" }, `${notice.issuer} · ${notice.version}`, notice.sample ? ` · ${common().sample_text}` : ""),
        ...notice.text.split("\n").filter(Boolean).map((line) => make("p", {}, line)),
      ),
      withoutFace ? make("p", { class: "hint", lang: "zh-CN" }, withoutFace) : null,
      box,
    ],
    foot: [agree, around, refuse],
  };
}
