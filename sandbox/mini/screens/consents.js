// 我的同意: what I agreed to, the text as it was then, and taking it back with its consequences said first.

import { make, moment } from "../dom.js";
import { words } from "../words/phone.js";

export const title = () => words().mine.consents;

function withdrawal(phone, consent) {
  if (consent.withdrawn_at) return null;
  return make(
    "details",
    {},
    make("summary", {}, words().consents.withdraw),
    make("p", {}, `${words().consents.stops}：`, make("span", { lang: "zh-CN" }, consent.withdrawing_stops ?? "")),
    make("p", {}, `${words().consents.goes_on}：`, make("span", { lang: "zh-CN" }, consent.goes_on ?? "")),
    phone.button(
      words().consents.sure,
      async () => {
        await phone.api.withdrawConsent({ consent_id: consent.id });
        await phone.redraw();
      },
      "quiet",
    ),
  );
}

export async function render(phone) {
  const { consents } = await phone.api.listConsents();
  if (!consents.length) return make("p", { class: "empty" }, words().consents.none);
  return make(
    "ul",
    { class: "messages" },
    ...consents.map((consent) =>
      make(
        "li",
        { class: "card" },
        make("h3", { lang: "zh-CN" }, consent.title),
        make("p", { class: "hint" }, consent.withdrawn_at ? `${consent.replaced ? words().consents.replaced : words().consents.withdrawn} ${moment(consent.withdrawn_at)}` : `${words().consents.given} ${moment(consent.given_at)}`),
        consent.text ? make("details", {}, make("summary", {}, words().consents.text), make("p", { class: "text", lang: "zh-CN" }, consent.text)) : null,
        withdrawal(phone, consent),
      ),
    ),
  );
}
