// In place of the face: a bank card of one's own, and the number the bank knows.

import { newKey } from "/client/canbao.js";
import { icon, make } from "../dom.js";
import { filler, input } from "../forms.js";
import { words } from "../words/identity.js";
import { words as common } from "../words/phone.js";
import { waysList } from "./ways.js";

export const title = () => words().bank_card;

export async function render(phone, { ended }) {
  if (ended) return afterwards(phone, ended);
  const notices = (await phone.api.listNotices()).notices;
  if (notices.some((each) => each.purpose === "BANK_CARD" && !each.given)) {
    phone.replace("consent", { purpose: "BANK_CARD", then: "bank_card" });
    return [];
  }
  const card = input({ label: words().card_number, name: "card_number", inputMode: "numeric" });
  const mobile = input({ label: words().bank_phone, name: "phone", inputMode: "tel" });
  const key = newKey(); // one check for one form, however often a bad line makes somebody press
  const confirm = phone.button(
    words().confirm,
    async () => {
      const told = await phone.api.checkBankCard({ card_number: card.value, phone: mobile.value }, { key });
      await phone.replace("bank_card", { ended: told });
    },
    "wide",
  );
  return {
    body: [
      filler(phone, [
        [card, phone.owner?.bank_card],
        [mobile, phone.owner?.phone],
      ]),
      make("section", { class: "card form" }, card.node, mobile.node),
      make("p", { class: "hint" }, words().card_why),
    ],
    foot: confirm,
  };
}

function afterwards(phone, ended) {
  const isVerified = ended.verification_state === "VERIFIED";
  return {
    body: [
      make("section", { class: isVerified ? "success" : "card" }, isVerified ? icon("done") : null, make("h3", { lang: "zh-CN" }, ended.title), make("p", { lang: "zh-CN" }, ended.detail), make("p", { class: "number" }, ended.card)),
      isVerified ? null : waysList(phone, ended.ways),
    ],
    foot: isVerified ? phone.button(common().back_home, () => phone.reset("home"), "wide") : phone.button(words().card_again, () => phone.replace("bank_card"), "quiet wide"),
  };
}
