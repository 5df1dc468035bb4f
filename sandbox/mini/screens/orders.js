// 缴费记录: my orders, newest first.

import { make, moment, yuan } from "../dom.js";
import { words } from "../words/pay.js";

export const title = () => words().orders;

export async function render(phone) {
  const { payment_orders: orders } = await phone.api.listOrders();
  if (!orders.length) return make("p", { class: "empty" }, words().no_orders);
  return make(
    "ul",
    { class: "list" },
    ...orders.map((order) =>
      make(
        "li",
        {},
        make(
          "button",
          { type: "button", class: "list-row", onclick: () => phone.go("order", { order_no: order.order_no }) },
          make("span", { class: "what" }, make("strong", { lang: "zh-CN" }, order.insured_name), make("span", {}, [...new Set(order.lines.map((line) => words().month(line.coverage_month)))].join("、")), make("small", {}, moment(order.created_at))),
          make("span", { class: "side" }, make("span", { class: "money" }, yuan(order.total_fen)), make("small", { lang: "zh-CN" }, order.state_text)),
        ),
      ),
    ),
  );
}
