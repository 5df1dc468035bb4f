// A page of entries below an entry, as 就业云服务 → 代理及档案服务 in the source.

import { make } from "../dom.js";
import { entryButton } from "../entries.js";

const find = (entries, code) => entries.reduce((found, each) => found ?? (each.code === code ? each : find(each.children, code)), null);
let last = "";

export const title = () => last;

export async function render(phone, { code }) {
  const entry = find((await phone.api.readMenu()).entries, code);
  last = entry?.title ?? "";
  phone.shell.title.textContent = last;
  return make("ul", { class: "entries" }, ...(entry?.children ?? []).map((child) => make("li", {}, entryButton(phone, child))));
}
