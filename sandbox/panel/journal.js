// The right column: Canbao's books beside the money that the providers really hold.

import { make, moment, yuan } from "/phone/dom.js";
import { named, words } from "./words.js";

const LATEST = 30;
const place = document.getElementById("journal");
let drawn = "";

function accountName(account) {
  const [prefix, ...rest] = account.split(":");
  if (prefix in words().channel) return `${named("channel", prefix)} ${rest.join(" ")}`;
  const [second, ...others] = rest;
  return `${named("prefix", prefix)} ${[second in words().channel ? named("channel", second) : second, ...others].filter(Boolean).join(" ")}`;
}

function inTwoLines(account) {
  const [channel, merchant] = account.split(":");
  return [make("div", {}, named("channel", channel)), make("div", { class: "number hint" }, merchant)];
}

function verdict(told) {
  if (!told.reached) return make("div", { class: "verdict" }, make("span", { class: "mark" }, "…"), words().unreached);
  const mark = make("span", { class: "mark", "aria-hidden": "true" }, told.agreed ? "✓" : "✕");
  return make("div", { class: `verdict ${told.agreed ? "good" : "bad"}` }, mark, told.agreed ? words().agreed : words().differs);
}

function table(heads, rows) {
  const head = make("tr", {}, ...heads.map(([text, kind]) => make("th", { class: kind ?? "", scope: "col" }, text)));
  return make("table", {}, make("thead", {}, head), make("tbody", {}, ...rows));
}

// Every account where anything is, or should be; the many that nobody uses yet would hide them.
function moneyTable(told) {
  const all = told.reached ? told.rows : Object.entries(told.money).map(([account, fen]) => ({ account, sandbox_fen: fen, canbao_fen: null }));
  const rows = all.filter((row) => row.sandbox_fen || row.canbao_fen);
  if (!rows.length) return make("p", { class: "hint" }, words().no_money);
  return table(
    [[words().account], [words().real, "money"], [words().booked, "money"]],
    rows.map((row) =>
      make(
        "tr",
        { class: row.canbao_fen === null || row.canbao_fen === row.sandbox_fen ? "" : "bad" },
        make("td", {}, ...inTwoLines(row.account)),
        make("td", { class: "money" }, yuan(row.sandbox_fen)),
        make("td", { class: "money" }, row.canbao_fen === null ? "–" : yuan(row.canbao_fen)),
      ),
    ),
  );
}

function otherAccounts(told) {
  const rows = told.accounts
    .filter((each) => !each.account.startsWith("clearing:") && each.balance_fen)
    .map((each) => make("tr", {}, make("td", {}, accountName(each.account)), make("td", { class: "money" }, yuan(each.balance_fen))));
  if (!rows.length) return null;
  return make("div", { class: "card" }, make("h4", {}, words().others), make("div", { class: "scroll", tabIndex: 0 }, make("table", {}, make("tbody", {}, ...rows))));
}

function transfers(told) {
  const latest = [...told.transfers].sort((a, b) => Number(b.id) - Number(a.id)).slice(0, LATEST);
  if (!latest.length) return null;
  const rows = latest.map((each) =>
    make(
      "tr",
      {},
      make("td", {}, make("div", {}, `${moment(each.at)} · ${each.kind}`), make("div", { class: "hint" }, `${accountName(each.debit_account)} ← ${accountName(each.credit_account)}`)),
      make("td", { class: "money" }, yuan(each.amount_fen)),
    ),
  );
  return make("div", { class: "card" }, make("h4", {}, words().transfers), make("div", { class: "scroll", tabIndex: 0 }, make("table", {}, make("tbody", {}, ...rows))));
}

export function showJournal(told) {
  const seen = JSON.stringify([told, document.documentElement.lang]);
  if (seen === drawn) return;
  drawn = seen;
  const parts = [verdict(told), make("div", { class: "card" }, moneyTable(told))];
  if (!told.reached) parts.push(make("p", { class: "hint" }, words().unreached_why));
  parts.push(otherAccounts(told), transfers(told));
  place.replaceChildren(...parts.filter(Boolean));
}
