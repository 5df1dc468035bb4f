// 我的: account, elder mode, what I paid, whom I pay for, what I agreed to, sign out.

import { icon, make } from "../dom.js";
import { words as applying } from "../words/apply.js";
import { words } from "../words/phone.js";
import { words as records } from "../words/records.js";

export const tab = "mine";
export const title = () => words().tab.mine;

const line = (phone, sign, text, screen) =>
  make("li", {}, make("button", { type: "button", class: "list-row", onclick: () => phone.go(screen) }, icon(sign), make("span", { class: "what" }, text), icon("forward")));

function elderSwitch(phone, account) {
  const box = make("input", {
    type: "checkbox",
    role: "switch",
    checked: account.elder_mode,
    onchange: () =>
      phone.press(box, async () => {
        const me = await phone.api.setPreferences({ elder_mode: box.checked });
        phone.session.changed(me.account);
        await phone.redraw();
      }),
  });
  return make("label", { class: "card switch" }, make("span", { class: "what" }, make("strong", {}, words().mine.elder), make("small", {}, words().mine.elder_hint)), box);
}

function phoneNumber(phone, account) {
  const isApp = phone.program.platform === "app";
  const act = account.phone
    ? phone.button(words().mine.drop_phone, () => phone.api.removePhone().then(() => phone.redraw()), "quiet small")
    : phone.button(words().mine.give_phone, async () => phone.api.addPhone(await phone.platform.phoneButton()).then(() => phone.redraw()), "quiet small");
  return make("div", { class: "card switch" }, make("span", { class: "what" }, make("strong", {}, words().mine.phone_number), make("span", { class: "number" }, account.phone ?? words().mine.phone_none)), isApp ? null : act);
}

export async function render(phone) {
  if (!phone.session.token) {
    phone.reset("authorise");
    return [];
  }
  const { account } = await phone.api.readMe();
  phone.session.changed(account);
  return [
    make("section", { class: "who" }, make("span", { class: "face-sign", "aria-hidden": "true" }, icon("person")), make("div", { class: "who-text" }, make("strong", { lang: "zh-CN" }, account.name ?? words().home.guest[phone.program.platform]), make("span", { class: "number" }, account.id_number ?? ""))),
    elderSwitch(phone, account),
    phoneNumber(phone, account),
    make("ul", { class: "list" }, line(phone, "wallet", words().mine.orders, "orders"), line(phone, "switch", words().mine.people, "people"), line(phone, "shield", words().mine.consents, "consents")),
    make(
      "ul",
      { class: "list" },
      line(phone, "search", applying().cases, "cases"),
      line(phone, "form", records().enrollments, "enrollments"),
      line(phone, "clock", records().outlook, "outlook"),
      line(phone, "card", records().agreements, "agreements"),
      line(phone, "family", records().payers, "payers"),
      line(phone, "folder", records().own_data, "own_data"),
    ),
    phone.button(
      words().mine.sign_out,
      async () => {
        await phone.api.endSession();
        phone.session.signedOut();
        await phone.reset("authorise");
      },
      "quiet wide",
    ),
  ];
}
