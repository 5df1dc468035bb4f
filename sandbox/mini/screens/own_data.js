// 个人信息: what is kept about me, who looked at it, a whole copy, and requests to correct or delete it.

import { make, moment } from "../dom.js";
import { address } from "../photographs.js";
import { words } from "../words/records.js";

export const title = () => words().own_data;

const rows = (pairs) => make("dl", { class: "rows" }, ...pairs.flatMap(([name, value]) => [make("dt", {}, name), make("dd", { lang: "zh-CN" }, value)]));
const SHOWN = 3;

const INSTANT = /^\d{4}-\d\d-\d\dT/;

function told(value) {
  if (typeof value === "boolean") return words().yes_no[String(value)];
  if (typeof value === "object") return JSON.stringify(value);
  return INSTANT.test(value) ? moment(value) : String(value);
}

// One row of a kind, as it is kept: masked where it says anything private. A whole copy has all of them.
const item = (row) =>
  make("p", { class: "number", lang: "zh-CN" }, Object.entries(row).filter(([, value]) => value !== null && value !== "").map(([name, value]) => `${words().item[name] ?? name.replaceAll("_", " ")}：${told(value)}`).join("；"));

function kind(each) {
  return make(
    "details",
    { class: "card", "data-kind": each.kind },
    make("summary", { lang: "zh-CN" }, `${each.title}　${words().count(each.count)}`),
    rows([
      [words().purpose, each.purpose],
      [words().source, each.source],
      [words().ground, each.legal_ground],
      [words().retention, each.retention],
    ]),
    each.items.length ? make("p", { class: "hint" }, words().latest_items) : null,
    ...each.items.slice(0, SHOWN).map(item),
  );
}

export async function render(phone) {
  const [{ kinds }, { accesses }] = await Promise.all([phone.api.readOwnData(), phone.api.listAccesses({ limit: 10 })]);
  const copy = async () => {
    const told = await phone.api.readOwnCopy();
    make("a", { href: address(JSON.stringify(told, null, 2), "application/json"), download: "canbao-personal-data.json" }).click();
    phone.tell(told.full ? words().copied : words().masked_copy);
  };
  return {
    body: [
      make("p", { class: "hint" }, words().own_data_hint),
      ...kinds.map(kind),
      make(
        "details",
        { class: "card" },
        make("summary", {}, words().accesses),
        ...(accesses.length ? accesses.map((each) => make("p", { class: "number", lang: "zh-CN" }, `${moment(each.at)}　${each.who}　${each.what}　${each.why}`)) : [make("p", { class: "hint" }, words().no_accesses)]),
      ),
    ],
    foot: [phone.button(words().copy, copy, "wide"), phone.button(words().requests, () => phone.go("data_requests"), "quiet wide")],
  };
}
