// What the platforms delivered to people's phones: SMS, with the codes in them, and the messages of mini-programs.

import { make } from "/phone/dom.js";
import { words } from "./words.js";

const SHOWN = 12;
const list = document.getElementById("post");
let drawn = "";

const values = (content) =>
  Object.entries(content.values ?? content.data ?? {})
    .map(([name, value]) => `${name}：${value?.value ?? value}`)
    .join("　");

export function showPost(told) {
  const seen = JSON.stringify([told.messages.slice(0, SHOWN), document.documentElement.lang]);
  if (seen === drawn) return;
  drawn = seen;
  document.getElementById("no-post").hidden = told.messages.length > 0;
  list.replaceChildren(
    ...told.messages.slice(0, SHOWN).map((each) =>
      make(
        "li",
        { class: "card" },
        make("div", { class: "first" }, make("strong", {}, words().post_kind[each.kind] ?? each.kind), make("span", { class: "number" }, each.receiver)),
        each.content.values?.code ? make("p", { class: "sms-code" }, each.content.values.code) : null,
        make("p", { class: "hint" }, values(each.content)),
      ),
    ),
  );
}
