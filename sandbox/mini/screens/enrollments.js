// 参保记录: each enrolment, and its months: paid, confirmed by the tax authority, posted, and those that lack.

import { make, yuan } from "../dom.js";
import { named } from "../words.js";
import { words } from "../words/records.js";

export const title = () => words().enrollments;

const rows = (pairs) => make("dl", { class: "rows" }, ...pairs.filter(([, value]) => value !== null).flatMap(([name, value]) => [make("dt", {}, name), make("dd", { lang: "zh-CN" }, value)]));
const tierOf = (tier) => words().tier_from(tier.label ?? (tier.declared_wage_fen ? words().wage(yuan(tier.declared_wage_fen)) : tier.tier_plan), tier.from_month);

export async function render(phone) {
  const { enrollments } = await phone.api.listEnrollments();
  if (!enrollments.length) return make("p", { class: "empty" }, words().no_enrollments);
  return enrollments.map((each) =>
    make(
      "section",
      { class: "card", "data-enrollment": each.insurance_type },
      make("h3", { lang: "zh-CN" }, each.insurance_name, make("span", { class: each.state === "ACTIVE" ? "chip good" : "chip" }, named(words().state, each.state))),
      rows([
        [words().area, `${each.region_name} ${each.pooling_area_name}`],
        [words().runs, words().since(each.start_month, each.end_month)],
        [words().tier, each.tiers.length ? each.tiers.map(tierOf).join("；") : null],
        [words().paid, words().months(each.paid_months)],
        [words().confirmed, words().months(each.tax_confirmed_months)],
        [words().posted, words().months(each.posted_months)],
        [words().elsewhere, each.months_elsewhere === null ? words().not_told : words().months(each.months_elsewhere)],
        [words().total, words().months(each.total_months)],
        [words().gaps, each.gaps.length ? each.gaps.map(words().month).join("、") : words().no_gaps],
      ]),
      each.supplement_outstanding ? make("p", { class: "why" }, words().supplement) : null,
      each.tier_change.reason ? make("p", { class: "hint", lang: "zh-CN" }, each.tier_change.reason) : null,
    ),
  );
}
