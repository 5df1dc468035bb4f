// One order: the cashier, and then the truth. 支付成功 is the cashier's word and proves nothing; what Canbao has heard is shown.

import { icon, make, moment, yuan } from "../dom.js";
import { isChinese, named } from "../words.js";
import { cashier } from "../cashier.js";
import { words } from "../words/pay.js";
import { words as common } from "../words/phone.js";

const LOOK_EVERY_MS = 1500;
const LOOK_FOR_MS = 90_000;
const LOOK_LATER_EVERY_MS = 5000;
const LOOK_LATER_FOR_MS = 600_000;
const OVER = new Set(["PAID", "CLOSED", "CANCELLED"]);
let watching = null;

export const title = () => words().order;

// Ask until Canbao has heard from the provider: its answer comes from the notice, or from asking the provider itself.
function watch(phone, orderNo, seen, { every, forMs }) {
  clearTimeout(watching);
  const until = Date.now() + forMs;
  const look = async () => {
    const { name, params } = phone.here;
    if (name !== "order" || params.order_no !== orderNo || Date.now() > until) return;
    try {
      const told = await phone.api.readOrder({ order_no: orderNo });
      if (JSON.stringify(told) !== seen) return void phone.redraw();
    } catch (error) {
      return void phone.fail(error);
    }
    watching = setTimeout(look, every);
  };
  watching = setTimeout(look, every);
}

export async function render(phone, params) {
  const order = await phone.api.readOrder({ order_no: params.order_no });
  const isPaid = order.lines.every((line) => ["PAID", "TAX_CONFIRMED", "POSTED"].includes(line.state)) && Boolean(order.paid_at);
  const posted = order.lines.every((line) => line.state === "POSTED");
  const pace = isPaid ? { every: LOOK_LATER_EVERY_MS, forMs: LOOK_LATER_FOR_MS } : { every: LOOK_EVERY_MS, forMs: LOOK_FOR_MS };
  if (!posted && (isPaid || !OVER.has(order.state))) watch(phone, order.order_no, JSON.stringify(order), pace);
  if (isPaid) phone.session.hasPaid(order, phone.program.authority);
  if (params.pay && order.launch) {
    // Once: coming back to this screen does not open the cashier again.
    params.pay = false;
    phone.remember();
    queueMicrotask(() => pay(phone, order));
  }
  const confirmed = order.lines.length && order.lines.every((line) => ["TAX_CONFIRMED", "POSTED"].includes(line.state));
  return {
    body: [
      make(
        "section",
        { class: isPaid ? "success" : "card centred", "data-order-state": order.state, role: "status" },
        icon(isPaid ? "done" : OVER.has(order.state) ? "stop" : "clock"),
        make("h3", { lang: "zh-CN" }, confirmed ? "缴费成功" : order.state_text),
  isChinese() ? null : make("p", { class: "hint" }, confirmed ? words().confirmed : named(words().order_state, order.state)),
        make("p", { class: "big money" }, yuan(order.total_fen)),
        order.closed_why ? make("p", { class: "hint", lang: "zh-CN" }, order.closed_why) : null,
        params.paid && !isPaid ? make("p", {}, words().in_doubt) : null,
      ),
      make(
        "dl",
        { class: "card rows" },
        ...[
          [words().insured, `${order.insured_name} ${order.insured_id_number}`],
          [words().order_no, order.order_no],
          [words().payment_no, order.payment_no],
          [words().channel, named(words().channels, order.channel)],
          [words().made_at, moment(order.created_at)],
          [words().paid_at, moment(order.paid_at)],
        ]
          .filter(([, value]) => value)
          .flatMap(([name, value]) => [make("dt", {}, name), make("dd", {}, value)]),
      ),
      make(
        "ul",
        { class: "card lines" },
        ...order.lines.map((line) => make("li", {}, make("span", {}, `${words().month(line.coverage_month)} ${named(words().insurance, line.insurance_type)}`), make("span", { class: "hint" }, named(words().bill, line.state)), make("span", { class: "money" }, yuan(line.amount_fen)))),
      ),
      isPaid ? make("p", { class: "hint" }, words().three_facts) : null,
    ],
    foot: foot(phone, order, isPaid),
  };
}

function foot(phone, order, isPaid) {
  if (isPaid) return [phone.button(words().receipt, () => receipt(phone, order), "quiet wide"), phone.button(common().back_home, () => phone.reset("home"), "wide")];
  if (order.launch)
    return [
      phone.button(words().pay_now, () => pay(phone, order), "wide"),
      phone.button(
        words().cancel_order,
        async () => {
          await phone.api.cancelOrder({ order_no: order.order_no });
          await phone.redraw();
        },
        "quiet wide",
      ),
    ];
  return phone.button(common().refresh, () => phone.redraw(), "quiet wide");
}

async function pay(phone, order) {
  const told = await cashier(phone, order);
  if (told.paid) await phone.replace("order", { order_no: order.order_no, paid: true });
  else if (told.said) phone.tell(words().cashier_said(told.said));
}

// The file goes where the browser keeps files; on a real phone wx.openDocument shows it.
async function receipt(phone, order) {
  const bytes = await phone.api.printReceipt({ order_no: order.order_no });
  const address = URL.createObjectURL(new Blob([bytes], { type: "application/pdf" }));
  make("a", { href: address, download: `${order.order_no}.pdf` }).click();
  setTimeout(() => URL.revokeObjectURL(address), 60_000);
  phone.tell(words().receipt_kept);
}
