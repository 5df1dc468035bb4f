// Why an entry does nothing now, and where the business is done instead (R-CZ-16, R-CZ-18).

import { make } from "../dom.js";
import { call, counterCard } from "../problems.js";
import { named } from "../words.js";
import { words } from "../words/phone.js";

export const title = (phone, { entry }) => entry.title;

export async function render(phone, { entry }) {
  const why = entry.available ? "NO_SCREEN" : entry.why_not;
  return [
    make("section", { class: "card" }, make("h3", {}, named(words().why, why)), entry.explanation ? make("p", { lang: "zh-CN" }, entry.explanation) : null),
    counterCard(entry.counter),
    entry.counter_kind === "BANK_BRANCH" ? make("p", { class: "hint" }, words().branch) : null,
    entry.hotline ? make("p", { class: "card" }, `${words().problem.hotline} `, call(entry.hotline.number), make("span", { class: "hint", lang: "zh-CN" }, ` ${entry.hotline.label}`)) : null,
    why === "PROVE_IDENTITY_FIRST" ? phone.button(words().prove_now, () => phone.replace("prove"), "wide") : null,
  ];
}
