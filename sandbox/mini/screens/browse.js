// Whoever does not authorise may look around, and finds the way back (R-CZ-43): what is said to everybody, signed in or not.

import { make, yuan } from "../dom.js";
import { call, counterCard } from "../problems.js";
import { words } from "../words/phone.js";

export const title = () => words().browse.title;

function plan(insurance, each) {
  return make(
    "section",
    { class: "card" },
    make("h3", { lang: "zh-CN" }, `${insurance.title} ${each.title}`),
    each.explanation ? make("p", { class: "hint", lang: "zh-CN" }, each.explanation) : null,
    each.sample ? make("p", { class: "hint" }, words().sample) : null,
    make("dl", { class: "rows" }, ...each.tiers.flatMap((tier) => [make("dt", { lang: "zh-CN" }, tier.label), make("dd", {}, yuan(tier.amount_fen))])),
    each.allow_declared_wage && each.floor_fen ? make("p", { class: "hint" }, `${words().browse.by_choice}：${yuan(each.floor_fen)}–${yuan(each.ceiling_fen)}`) : null,
  );
}

export async function render(phone) {
  const region = await phone.api.readRegion({ code: phone.program.region });
  return {
    body: [
      make("p", { class: "told" }, words().authorise.refused),
      make("h3", {}, `${region.name} · ${words().browse.tiers}`),
      ...region.insurances.flatMap((insurance) => insurance.plans.map((each) => plan(insurance, each))),
      make("h3", {}, words().browse.hotlines),
      make("section", { class: "card" }, ...region.hotlines.map((line) => make("p", { lang: "zh-CN" }, `${line.label} `, call(line.number)))),
      make("h3", {}, words().browse.counters),
      ...region.agencies.map(counterCard),
    ],
    foot: phone.button(words().authorise[phone.program.platform], () => phone.back(), "wide"),
  };
}
