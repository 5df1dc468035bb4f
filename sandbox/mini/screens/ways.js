// Without a face: a bank card, a window, or somebody of the family. Shown at once when a face was declined or did not do.

import { make } from "../dom.js";
import { call } from "../problems.js";
import { words } from "../words/identity.js";
import { words as common } from "../words/phone.js";

const SCREENS = { BANK_CARD: "bank_card", COUNTER: "counter_code" };

export const title = () => words().without_face;

export function waysList(phone, ways) {
  return make(
    "ul",
    { class: "ways" },
    ...(ways ?? []).map((way) =>
      make(
        "li",
        { class: "card" },
        make("h3", { lang: "zh-CN" }, way.title),
        make("p", { lang: "zh-CN" }, way.detail),
        way.available && SCREENS[way.way] ? phone.button(words().take_way[way.way], () => phone.go(SCREENS[way.way]), "wide") : null,
        make("p", { class: "hint" }, `${common().problem.hotline} `, call(way.hotline)),
      ),
    ),
  );
}

export async function render(phone) {
  // Any refusal or check tells the ways; to ask for them alone, the two that a phone can do stand here.
  return [
    make("p", { class: "hint" }, words().ways_hint),
    make("section", { class: "card" }, make("h3", {}, words().bank_card), make("p", {}, words().bank_card_hint), phone.button(words().take_way.BANK_CARD, () => phone.go("bank_card"), "wide")),
    make("section", { class: "card" }, make("h3", {}, words().counter), make("p", {}, words().counter_hint), phone.button(words().take_way.COUNTER, () => phone.go("counter_code"), "wide")),
    make("section", { class: "card" }, make("h3", {}, words().family), make("p", {}, words().family_hint)),
  ];
}
