// 新增协议: name, ID number, one's own card and the phone that the bank knows; the bank is asked at once.

import { newKey } from "/client/canbao.js";
import { make } from "../dom.js";
import { filler, input } from "../forms.js";
import { words } from "../words/records.js";

export const opens = ["NEW_AGREEMENT"];
export const toParams = (entry) => ({ title: entry.title });
export const title = (phone, { title: given }) => given ?? words().sign;

const PURPOSES = ["BANK_ACCOUNT", "WITHHOLDING"];

function select(label, name, choices) {
  const box = make("select", { name }, ...choices.map(([value, text]) => make("option", { value, lang: "zh-CN" }, text)));
  return { node: make("label", { class: "field" }, label, box), get value() { return box.value; } };
}

export async function render(phone, params) {
  const { notices } = await phone.api.listNotices();
  const lacking = PURPOSES.find((purpose) => notices.some((each) => each.purpose === purpose && !each.given));
  if (lacking) {
    phone.replace("consent", { purpose: lacking, then: "agreement_new", then_params: params });
    return [];
  }
  const [{ guides }, menu] = await Promise.all([phone.api.listWithholdingAgreements(), phone.api.readMenu()]);
  const here = guides.find((each) => each.region === menu.region) ?? guides[0];
  const region = await phone.api.readRegion({ code: here.region });
  const insurance = select(words().insurance, "insurance_type", region.insurances.map((each) => [each.insurance_type, each.title]));
  const bank = select(words().bank, "bank", here.banks.map((each) => [each.code, each.title]));
  const name = input({ label: words().name, name: "name" });
  const number = input({ label: words().id_number, name: "id_number", maxLength: 18 });
  const card = input({ label: words().card_number, name: "card_number", inputMode: "numeric" });
  const mobile = input({ label: words().bank_phone, name: "phone", inputMode: "tel" });
  const key = newKey();
  const sign = async () => {
    const given = { name: name.value, id_number: number.value, card_number: card.value, phone: mobile.value };
    await phone.api.signWithholdingAgreement({ region: here.region, insurance_type: insurance.value, bank: bank.value, ...given }, { key });
    await phone.replace("agreements", {});
  };
  const { owner } = phone;
  return {
    body: [
      filler(phone, [[name, owner?.name], [number, owner?.id_number], [card, owner?.bank_card], [mobile, owner?.phone]]),
      make("section", { class: "card form" }, insurance.node, name.node, number.node, bank.node, card.node, mobile.node),
      make("p", { class: "hint" }, words().sign_hint),
      make("p", { class: "hint", lang: "zh-CN" }, here.recommended_card),
    ],
    foot: phone.button(words().sign_now, sign, "wide"),
  };
}
