// Messages that Canbao wrote to this account, newest first, page by page.

import { make, moment } from "../dom.js";
import { words } from "../words/phone.js";

export const tab = "messages";
export const title = () => words().tab.messages;

export async function render(phone, { before }) {
  if (!phone.session.token) {
    phone.reset("authorise");
    return [];
  }
  const told = await phone.api.listMessages({ before });
  if (!told.messages.length) return make("p", { class: "empty" }, words().messages.none);
  return [
    make(
      "ul",
      { class: "messages" },
      ...told.messages.map((each) =>
        make("li", { class: "card", lang: each.language, dir: each.direction }, make("h3", {}, each.title), make("p", {}, each.text), make("p", { class: "hint" }, moment(each.created_at))),
      ),
    ),
    told.next_before ? phone.button(words().messages.earlier, () => phone.go("messages", { before: told.next_before }), "quiet wide") : null,
  ];
}
