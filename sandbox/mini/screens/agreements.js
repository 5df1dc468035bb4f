// 委托扣款协议: mine, those in force first; what to know before signing one; ending one.

import { make, moment, yuan } from "../dom.js";
import { call } from "../problems.js";
import { words } from "../words/records.js";
import { words as common } from "../words/phone.js";

export const opens = ["WITHHOLDING", "WITHHOLDING_SIGN_ONLINE"];
export const toParams = (entry) => ({ title: entry.title });
export const title = (phone, { title: given }) => given ?? words().agreements;

const checklist = (items) => make("ul", { class: "checklist", lang: "zh-CN" }, ...items.map((each) => make("li", {}, each.title, make("span", { class: each.done ? "chip good" : "chip" }, words().done[String(each.done)]))));

function mine(phone, each) {
  const { next, in_flight_fen: inFlight } = each.debiting;
  const pairs = [
    [words().card, `${each.bank_name} ${each.card}`],
    [words().insurance, each.insurance_name],
    [words().signed_at, moment(each.signed_at)],
    [words().next_debit, next ? `${next.amount_fen ? words().next_is(next.day, yuan(next.amount_fen)) : words().nothing_next(next.day)}${next.to_confirm ? `（${common().to_confirm}）` : ""}` : null],
  ].filter(([, value]) => value);
  const end = async () => {
    await phone.api.terminateWithholdingAgreement({ agreement_id: each.id });
    await phone.redraw();
  };
  return make(
    "section",
    { class: "card", "data-agreement": each.state },
    make("h3", { lang: "zh-CN" }, each.title, make("span", { class: each.state === "ACTIVE" ? "chip good" : "chip" }, each.state_text)),
    make("p", { lang: "zh-CN" }, each.detail),
    make("dl", { class: "rows" }, ...pairs.flatMap(([name, value]) => [make("dt", {}, name), make("dd", { lang: "zh-CN" }, value)])),
    inFlight ? make("p", { class: "why" }, words().in_flight(yuan(inFlight))) : null,
    each.state === "ACTIVE" ? checklist(each.checklist) : null,
    each.can_terminate ? make("details", {}, make("summary", {}, words().terminate), make("p", { lang: "zh-CN" }, each.ending), phone.button(words().sure_terminate, end, "quiet")) : null,
  );
}

function guide(each, agreements) {
  const isSigned = agreements.some((one) => one.region === each.region && one.state === "ACTIVE");
  const texts = [isSigned ? each.signed_before : each.where, each.recommended_card, each.activation, each.deposit_note, each.ending].filter(Boolean);
  return make(
    "section",
    { class: "card", lang: "zh-CN" },
    make("h3", {}, `${each.region_name} ${each.title}`, each.is_main_way ? make("span", { class: "chip good" }, words().main_way) : null),
    each.signs_online ? null : make("p", { class: "why" }, words().no_online),
    ...texts.map((text) => make("p", {}, text)),
    ...each.deposits.map((one) => make("p", {}, `${words().deposit} ${yuan(one.amount_fen)}${one.sample ? `（${common().sample}）` : ""}`)),
    checklist(each.checklist),
    make("p", { class: "hint" }, each.banks.map((bank) => bank.title).join("、"), each.to_confirm ? `（${common().to_confirm}）` : ""),
    make("p", {}, `${common().problem.hotline} `, call(each.hotline)),
  );
}

export async function render(phone) {
  const { agreements, guides } = await phone.api.listWithholdingAgreements();
  return {
    body: [...agreements.map((each) => mine(phone, each)), ...guides.map((each) => guide(each, agreements))],
    foot: guides.some((each) => each.signs_online) ? phone.button(words().sign, () => phone.go("agreement_new"), "wide") : null,
  };
}
