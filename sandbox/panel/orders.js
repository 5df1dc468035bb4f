// The middle column: every order at the providers, with levers to pay, to break and to repeat.

import { get, post } from "./api.js";
import { during, make, say, yuan } from "/phone/dom.js";
import { askForFault, faultPicker } from "./faults.js";
import { named, words } from "./words.js";

const SHOWN = 60;
const cards = new Map();
const list = document.getElementById("orders");

export const orders_path = `/state?limit=${SHOWN}`;

function keyOf(order) {
  return `${order.channel}/${order.merchant}/${order.out_trade_no}`;
}

function facts(order) {
  const { sent, acked, pending, last_status: last } = order.notices;
  const told = [words().sent(sent), words().acked(acked)];
  if (pending) told.push(words().waiting(pending));
  if (last) told.push(words().last(last));
  if (order.paid_at && order.paid_fen !== order.amount_fen) told.unshift(words().paid_differs(yuan(order.paid_fen)));
  if (order.refunded_fen) told.unshift(words().refunded(yuan(order.refunded_fen)));
  return told;
}

function complain(card, error) {
  card.problem.hidden = false;
  say(card.problem, error.message);
}

function levers(card, order) {
  const path = `${order.channel}/${order.out_trade_no}`;
  const act = (button, work) => during(button, work).then(() => (card.problem.hidden = true), (error) => complain(card, error));
  if (order.state === "OPEN") {
    const picker = faultPicker(order.channel);
    const pay = make("button", { type: "button" }, words().pay);
    pay.addEventListener("click", () =>
      act(pay, async () => {
        await askForFault(order.out_trade_no, picker.value, order.amount_fen);
        const told = await post(`/orders/${path}/pay`);
        if (!told.paid) throw new Error(told.why);
      }),
    );
    return [picker, pay];
  }
  if (order.state !== "PAID") return [];
  const again = make("button", { type: "button", class: "quiet" }, words().resend);
  again.addEventListener("click", () => act(again, () => post(`/notices/${path}/resend`)));
  const back = make("button", { type: "button", class: "quiet" }, words().refund);
  back.addEventListener("click", () => act(back, () => post(`/orders/${path}/refunds`)));
  return [again, back];
}

async function closeUp(card, order) {
  const told = await get(`/orders/${order.channel}/${order.out_trade_no}`);
  const letters = told.notice_list.map((each) => {
    const [event] = each.event.split("#");
    return make(
      "li",
      {},
      make("span", {}, `${named("event", event)} · ${named("mode", each.mode)}`),
      make("span", {}, named("notice", each.state)),
      make("span", {}, words().tries(each.tries)),
      make("span", {}, each.last_status ?? ""),
    );
  });
  const refunds = told.refunds.map((each) =>
    make("li", {}, make("span", { class: "number" }, each.out_refund_no), make("span", { class: "money" }, yuan(each.amount_fen)), make("span", {}, each.state)),
  );
  card.more.replaceChildren(...letters, ...refunds);
}

function newCard(order) {
  const card = {
    title: make("span", { class: "title" }),
    chip: make("span", { class: "chip" }),
    sum: make("span", { class: "sum money" }),
    facts: make("div", { class: "facts" }),
    levers: make("div", { class: "row" }),
    problem: make("p", { class: "said bad", hidden: true, role: "alert" }),
    summary: make("summary"),
    more: make("ul", { class: "notices-list" }),
    seen: "",
  };
  card.details = make("details", {}, card.summary, card.more);
  card.details.addEventListener("toggle", () => card.details.open && closeUp(card, order).catch((error) => complain(card, error)));
  card.node = make(
    "li",
    { class: "card order" },
    make("div", { class: "first" }, card.title, make("span", { class: "row" }, card.chip, card.sum)),
    make("div", { class: "number" }, order.out_trade_no),
    card.facts,
    card.levers,
    card.problem,
    card.details,
  );
  return card;
}

function draw(card, order) {
  const seen = JSON.stringify([order, document.documentElement.lang]);
  if (card.seen === seen) return;
  const stateChanged = card.node.dataset.state !== `${order.state}${document.documentElement.lang}`;
  card.seen = seen;
  say(card.title, `${named("channel", order.channel)} · ${order.description}`);
  say(card.chip, named("state", order.state));
  card.chip.className = `chip ${order.state}`;
  say(card.sum, yuan(order.amount_fen));
  say(card.summary, words().close_up);
  card.facts.replaceChildren(...facts(order).map((text) => make("span", {}, text)));
  if (stateChanged) {
    // Only now, so that an open picker is not pulled from under somebody's finger.
    card.node.dataset.state = `${order.state}${document.documentElement.lang}`;
    card.levers.replaceChildren(...levers(card, order));
  }
  if (card.details.open) closeUp(card, order).catch((error) => complain(card, error));
}

export function showOrders(state) {
  document.getElementById("no-orders").hidden = state.orders.length > 0;
  say(document.getElementById("orders-count"), state.orders_total ? words().orders_count(state.orders.length, state.orders_total) : "");
  const present = new Set();
  state.orders.forEach((order, place) => {
    const key = keyOf(order);
    present.add(key);
    if (!cards.has(key)) cards.set(key, newCard(order));
    const card = cards.get(key);
    draw(card, order);
    if (list.children[place] !== card.node) list.insertBefore(card.node, list.children[place] ?? null);
  });
  for (const [key, card] of cards) {
    if (!present.has(key)) {
      card.node.remove();
      cards.delete(key);
    }
  }
}
