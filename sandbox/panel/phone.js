// The left column: act as one of the demo people, from signing in to having paid.

import { get, post } from "./api.js";
import { during, make, say, yuan } from "./dom.js";
import { faultPicker, wish } from "./faults.js";
import { isChinese, named, words } from "./words.js";

const FINAL = ["PAID", "CLOSED"];
const phone = document.getElementById("phone");
const screens = new Map();
let people = [];
let chosen = 0;

const screen = () => {
  if (!screens.has(chosen)) screens.set(chosen, { people: null, order: null, steps: [], said: null, ticked: new Set() });
  return screens.get(chosen);
};

async function act(button, action, body) {
  const here = screen();
  here.said = null;
  try {
    return await during(button, () => post(`/phone/${chosen}/${action}`, body));
  } catch (error) {
    here.said = { text: error.message, bad: true };
    drawPhone();
    return null;
  }
}

async function signIn(button) {
  say(button, words().signing_in);
  const told = await act(button, "sign_in");
  if (!told) return;
  Object.assign(screen(), { people: told.people, steps: told.steps });
  drawPhone();
}

async function refresh(button) {
  const told = await act(button, "bills");
  if (!told) return;
  const here = screen();
  here.people = told.people;
  here.ticked.clear();
  drawPhone();
}

async function order(button, person, bills) {
  const told = await act(button, "order", { insured_person_id: person.id, bill_ids: bills.map((bill) => bill.id) });
  if (!told) return;
  const here = screen();
  here.order = told.order;
  here.ticked.clear();
  here.said = { text: words().order_made(told.order.order_no) };
  drawPhone();
}

async function pay(button, outcome, fault) {
  const here = screen();
  const faults = outcome === "pay" && fault ? [wish(fault, here.order.total_fen)] : [];
  const told = await act(button, "pay", { order_no: here.order.order_no, outcome, faults });
  if (!told) return;
  const said = told.said.errMsg ?? `${told.said.resultCode} ${told.said.memo ?? ""}`;
  here.said = { text: words().phone_said(said.trim()) };
  drawPhone();
  if (outcome === "pay") await waitForNews(chosen);
}

// The cashier's word proves nothing: ask Canbao until it has heard from the provider, or for a quarter of a minute.
async function waitForNews(number) {
  const here = screen();
  const no = here.order.order_no;
  for (let tries = 0; tries < 15 && here.order?.order_no === no && !FINAL.includes(here.order.state); tries += 1) {
    await new Promise((resolve) => setTimeout(resolve, 1000));
    try {
      here.order = { ...here.order, ...(await post(`/phone/${number}/see_order`, { order_no: no })).order };
      here.people = (await post(`/phone/${number}/bills`)).people;
    } catch (error) {
      here.said = { text: error.message, bad: true };
      break;
    }
    if (number === chosen) drawPhone();
  }
}

async function look(button) {
  const here = screen();
  const told = await act(button, "see_order", { order_no: here.order.order_no });
  if (!told) return;
  here.order = { ...here.order, ...told.order };
  await refresh(button);
}

async function cancel(button) {
  const here = screen();
  const told = await act(button, "cancel", { order_no: here.order.order_no });
  if (!told) return;
  here.order = { ...here.order, ...told.order };
  await refresh(button);
}

function button(text, work, kind = "") {
  const node = make("button", { type: "button", class: kind }, text);
  node.addEventListener("click", () => work(node));
  return node;
}

function billRow(here, bill, redraw) {
  const box = make("input", { type: "checkbox", checked: here.ticked.has(bill.id), disabled: !bill.payable });
  box.addEventListener("change", () => {
    if (box.checked) here.ticked.add(bill.id);
    else here.ticked.delete(bill.id);
    redraw();
  });
  const what = make("span", { class: "what" }, `${bill.coverage_month} ${bill.insurance_name ?? bill.insurance_type}`, make("small", {}, [named("bill", bill.state), bill.payable ? "" : bill.not_payable_reason, bill.sample ? words().sample : ""].filter(Boolean).join(" · ")));
  return make("label", { class: "bill" }, box, what, make("span", { class: "money" }, yuan(bill.amount_fen)));
}

function personCard(here, person) {
  const title = person.is_self ? `${person.name}（${words().self}）` : person.name;
  const payButton = button("", (node) => order(node, person, ticked()), "wide");
  const ticked = () => person.bills.filter((bill) => here.ticked.has(bill.id));
  const redraw = () => {
    const sum = ticked().reduce((total, bill) => total + bill.amount_fen, 0);
    payButton.disabled = ticked().length === 0;
    say(payButton, ticked().length ? words().one_tap(yuan(sum)) : words().choose);
  };
  redraw();
  const rows = person.bills.map((bill) => billRow(here, bill, redraw));
  const some = person.bills.some((bill) => bill.payable);
  return make(
    "section",
    { class: "person" },
    make("header", {}, make("h3", {}, title), make("span", { class: "number" }, person.id_number ?? "")),
    ...(rows.length ? rows : [make("p", { class: "hint" }, words().no_bills)]),
    some ? payButton : null,
  );
}

function orderCard(here) {
  const channel = people[chosen].platform === "wechat" ? "wechat_pay" : "alipay";
  const picker = faultPicker(channel);
  const canPay = Boolean(here.order.launch) && !FINAL.includes(here.order.state);
  return make(
    "section",
    { class: "person" },
    make("header", {}, make("h3", {}, words().order_state(isChinese() ? (here.order.state_text ?? here.order.state) : here.order.state)), make("span", { class: "money" }, yuan(here.order.total_fen ?? 0))),
    make("p", { class: "number" }, here.order.order_no),
    canPay ? make("div", { class: "row" }, picker, button(words().pay, (node) => pay(node, "pay", picker.value))) : null,
    make(
      "div",
      { class: "row" },
      canPay ? button(words().walk_away, (node) => pay(node, "cancel", ""), "quiet") : null,
      canPay ? button(words().cancel_order, cancel, "quiet") : null,
      button(words().see_order, look, "quiet"),
    ),
  );
}

function whoPicker() {
  const picker = make("select", {}, ...people.map((person, place) => make("option", { value: String(place), selected: place === chosen }, person.label)));
  picker.addEventListener("change", () => {
    chosen = Number(picker.value);
    drawPhone();
  });
  return make("label", { class: "pick" }, words().who, picker);
}

export function drawPhone() {
  if (!people.length) {
    phone.replaceChildren(make("p", { class: "hint" }, words().nobody));
    return;
  }
  const here = screen();
  const failed = here.steps.filter((each) => !each.done);
  phone.replaceChildren(
    ...[
      whoPicker(),
      here.said ? make("p", { class: here.said.bad ? "said bad" : "said", role: "status" }, here.said.text) : null,
      ...failed.map((each) => make("p", { class: "said bad" }, `${named("step", each.step)}：${each.why}`)),
      here.order ? orderCard(here) : null,
      ...(here.people ?? []).map((person) => personCard(here, person)),
      here.people ? button(words().again, refresh, "quiet") : button(words().sign_in, signIn, "wide"),
    ].filter(Boolean),
  );
}

export async function findPeople() {
  const told = await get("/demo-people");
  if (JSON.stringify(told.demo_people) === JSON.stringify(people)) return;
  people = told.demo_people;
  screens.clear();
  chosen = 0;
  drawPhone();
}
