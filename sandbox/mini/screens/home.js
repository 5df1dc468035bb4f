// The program's first page: who one is here, the next step if there is one, and the menu as the region's source draws it.

import { icon, make } from "../dom.js";
import { words } from "../words/phone.js";
import { entryButton } from "../entries.js";

export const title = (phone) => phone.titleOfProgram();
export const tab = "home";

function who(phone, me) {
  const { account } = me;
  const name = account.name ?? words().home.guest[phone.program.platform];
  const other = phone.session.person;
  return make(
    "section",
    { class: "who" },
    make("span", { class: "face-sign", "aria-hidden": "true" }, icon("person")),
    make(
      "div",
      { class: "who-text" },
      make("strong", { lang: "zh-CN" }, name),
      account.id_number ? make("span", { class: "number" }, account.id_number) : null,
      other ? make("span", { class: "paying-for" }, `${words().home.paying_for}：${other.name}`) : null,
    ),
    make("span", { class: `chip ${account.verified ? "good" : ""}` }, account.verified ? words().home.verified : words().home.unverified),
  );
}

function nextStep(phone, menu) {
  if (!menu.next_step) return null;
  const { title: step, detail, without_face: without } = menu.next_step;
  return make(
    "section",
    { class: "card next" },
    make("h3", {}, `${words().home.next}：`, make("span", { lang: "zh-CN" }, step), words().step[menu.next_step.step] ? ` (${words().step[menu.next_step.step]})` : null),
    make("p", { lang: "zh-CN" }, detail),
    without ? make("p", { class: "hint", lang: "zh-CN" }, without) : null,
    phone.button(words().home.go_on, () => phone.go("prove"), "wide"),
  );
}

export async function render(phone) {
  if (!phone.session.token) {
    phone.reset("authorise");
    return [];
  }
  const [me, menu] = await Promise.all([phone.api.readMe(), phone.api.readMenu()]);
  phone.session.changed(me.account);
  return [
    make("p", { class: "region-name", lang: "zh-CN" }, icon("place"), menu.region_name),
    who(phone, me),
    menu.hint ? make("p", { class: "told", lang: "zh-CN" }, menu.hint) : null,
    nextStep(phone, menu),
    menu.entries.length
      ? make("ul", { class: "entries" }, ...menu.entries.map((entry) => make("li", {}, entryButton(phone, entry))))
      : make("p", { class: "empty" }, words().home.empty),
  ];
}
