// Bills of one person: tick, 一键缴费. Each month says what it is, whether it can be paid here, and if not, why and where instead.

import { newKey } from "/client/canbao.js";
import { icon, make, yuan } from "../dom.js";
import { counterCard } from "../problems.js";
import { named } from "../words.js";
import { words } from "../words/pay.js";
import { words as common } from "../words/phone.js";

export const opens = ["PAY", "PAY_BY_ID_NUMBER", "PAY_FOR_SWITCHED", "PAY_OWN"];

export function toParams(entry, phone) {
  return entry.code === "PAY_FOR_SWITCHED" ? { who: "other", title: entry.title, consent: entry.consent, person: phone.session.person?.id ?? null } : { who: "self", title: entry.title };
}

export const title = (phone, { title: given }) => given ?? words().bills;

async function personOf(phone, { who, person }) {
  if (person) return person;
  const { insured_persons: known } = await phone.api.listInsuredPersons();
  if (who === "other") return phone.session.person?.id ?? null;
  return known.find((each) => each.is_self)?.id ?? null;
}

export async function render(phone, params) {
  if (params.who === "other" && params.consent) {
    phone.replace("consent", { purpose: params.consent, then: "bills", then_params: { ...params, consent: null } });
    return [];
  }
  const id = await personOf(phone, params);
  if (!id) {
    phone.replace("people", { then: "bills", title: params.title });
    return [];
  }
  const told = await phone.api.listBills({ insured_person_id: id });
  const bills = [...told.bills].sort((a, b) => a.coverage_month.localeCompare(b.coverage_month));
  return drawn(phone, told.insured_person, bills, told.notes);
}

function drawn(phone, person, bills, notes) {
  const ticked = new Set();
  const pay = make("button", { type: "button", class: "pay" });
  const total = make("span", { class: "total" });
  let key = newKey();
  const chosen = () => bills.filter((bill) => ticked.has(bill.id));
  const redraw = () => {
    const sum = chosen().reduce((all, bill) => all + bill.amount_fen, 0);
    total.replaceChildren(words().total, make("strong", { class: "money" }, yuan(sum)));
    pay.disabled = !ticked.size;
    pay.textContent = phone.program.platform === "alipay" ? words().go_pay : words().one_tap;
  };
  const toggle = (bill, wanted) => {
    if (wanted) ticked.add(bill.id);
    else ticked.delete(bill.id);
    key = newKey(); // another choice is another order; the same press again is the same one
    redraw();
  };
  pay.addEventListener("click", () => phone.press(pay, () => order(phone, person, chosen(), key)));
  redraw();
  const open = bills.filter((bill) => bill.payable);
  const closed = bills.filter((bill) => !bill.payable);
  return {
    body: [
      personCard(phone, person),
      ...notes.map((note) => make("p", { class: "hint", lang: "zh-CN" }, note)),
      bills.length ? null : make("p", { class: "empty" }, words().no_bills),
      open.length ? make("ul", { class: "bills" }, ...open.map((bill) => make("li", {}, row(bill, toggle)))) : null,
      closed.length ? make("ul", { class: "bills" }, ...closed.map((bill) => make("li", {}, rest(phone, bill)))) : null,
    ],
    foot: open.length ? make("div", { class: "pay-line" }, total, pay) : null,
  };
}

// What is about to be paid is said once more: name, number, months (wrong person paid for is the commonest complaint).
async function order(phone, person, bills, key) {
  const body = { insured_person_id: person.id, bill_ids: bills.map((bill) => bill.id), expected_amount_fen: bills.reduce((all, bill) => all + bill.amount_fen, 0) };
  const placed = await phone.api.placeOrder(body, { key });
  await phone.go("order", { order_no: placed.order_no, pay: true });
}

function personCard(phone, person) {
  return make(
    "section",
    { class: "card payee" },
    make("span", { class: "label" }, words().insured),
    make("strong", { lang: "zh-CN" }, person.name, person.is_self ? make("span", { class: "chip" }, common().home.myself) : null),
    make("span", { class: "number" }, person.id_number),
  );
}

function facts(bill) {
  return [
    named(words().bill, bill.state),
    bill.kind === "SUPPLEMENT" ? words().supplement : null,
    bill.sample ? common().sample : null,
    bill.provisional ? words().provisional : null,
    bill.payable && bill.due_date ? words().due(bill.due_date, bill.due_date_note) : null,
  ].filter(Boolean);
}

const what = (bill) => make("span", { class: "what" }, make("strong", {}, words().month(bill.coverage_month)), make("span", { lang: "zh-CN" }, bill.insurance_name), make("small", {}, facts(bill).join(" · ")));

function row(bill, toggle) {
  const box = make("input", { type: "checkbox", checked: false, "data-bill": bill.id, onchange: () => toggle(bill, box.checked) });
  return make("label", { class: "bill" }, box, what(bill), make("span", { class: "money" }, yuan(bill.amount_fen)));
}

function rest(phone, bill) {
  const why = bill.state === "UNPAID" || bill.state === "LOCKED" ? bill.not_payable_reason : null;
  return make(
    "div",
    { class: "bill resting" },
    icon(bill.paid_at ? "check" : "stop"),
    make("span", { class: "what" }, what(bill), why ? make("span", { class: "why", lang: "zh-CN" }, why) : null, why ? elsewhere(bill.counter) : null, bill.order_no ? phone.button(words().see_order, () => phone.go("order", { order_no: bill.order_no }), "quiet") : null),
    make("span", { class: "money" }, yuan(bill.amount_fen)),
  );
}

const elsewhere = (counter) => (counter ? make("details", {}, make("summary", {}, common().problem.counter), counterCard(counter)) : null);
