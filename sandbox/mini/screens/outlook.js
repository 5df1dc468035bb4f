// 退休测算: when, on each track that somebody may be on, and what must be paid until then. A reckoning, with its sources.

import { make } from "../dom.js";
import { call } from "../problems.js";
import { words } from "../words/records.js";
import { words as common } from "../words/phone.js";

export const title = () => words().outlook;

const unsure = (text, isUnsure) => `${text}${isUnsure ? `（${common().to_confirm}）` : ""}`;

function track(each) {
  const { choice } = each;
  const pairs = [
    [words().statutory, words().month(each.statutory_month)],
    [words().age, words().age_is(each.age_years, each.age_months)],
    [words().left, each.is_reached ? words().reached : words().years(each.months_left)],
    [words().minimum, each.minimum_months === null ? null : words().years(each.minimum_months)],
    [words().shortfall, each.shortfall_months === null ? null : each.shortfall_months ? words().years(each.shortfall_months) : words().enough],
    [words().earliest, choice ? unsure(words().month(choice.earliest_month), choice.earliest_to_confirm) : null],
    [words().latest, choice ? unsure(words().month(choice.latest_month), choice.latest_to_confirm) : null],
  ].filter(([, value]) => value !== null);
  return make("section", { class: "card", "data-track": each.track }, make("h3", { lang: "zh-CN" }, each.title, each.is_default ? make("span", { class: "chip" }, words().usual) : null), make("dl", { class: "rows" }, ...pairs.flatMap(([name, value]) => [make("dt", {}, name), make("dd", {}, value)])));
}

export async function render(phone) {
  const told = await phone.api.readRetirementOutlook();
  const { paid_months: paid, months_elsewhere: elsewhere, total_months: total } = told.contributions;
  return [
    make("p", { class: "hint" }, words().by(told.on, told.region_name)),
    ...(told.tracks.length ? told.tracks.map(track) : [make("p", { class: "empty" }, words().no_tracks)]),
    make("section", { class: "card" }, make("p", {}, `${words().paid} ${words().months(paid)}；${words().elsewhere} ${elsewhere === null ? words().not_told : words().months(elsewhere)}；${words().total} ${words().months(total)}`)),
    ...told.notes.map((note) => make("p", { class: "told", lang: "zh-CN" }, note)),
    make("details", { class: "card" }, make("summary", {}, words().sources), ...told.sources.map((each) => make("p", { class: "hint", lang: "zh-CN" }, unsure(`${each.what}：${each.source}`, each.status === "TO_CONFIRM")))),
    make("p", { class: "card" }, `${common().problem.hotline} `, call(told.hotline.number)),
  ];
}
