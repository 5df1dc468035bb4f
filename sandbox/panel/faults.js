// The picker of misbehaviour, and what each choice asks of the sandbox.

import { post } from "./api.js";
import { make } from "./dom.js";
import { words } from "./words.js";

const VALUES = {
  late: () => 20,
  duplicate: () => 1,
  parallel: () => 3,
  wrong_amount: (fen) => Math.max(fen - 1, 1),
  refund_before_success: (fen) => Math.ceil(fen / 2),
};
const ONLY = { finished_first: "alipay", gbk: "alipay", signtest: "wechat_pay", stale: "wechat_pay", wrong_currency: "wechat_pay", certificate_key: "wechat_pay" };

export function faultPicker(channel) {
  const names = Object.keys(words().fault).filter((name) => (ONLY[name] ?? channel) === channel);
  const usual = make("option", { value: "" }, words().misbehave);
  return make(
    "select",
    { "aria-label": words().with_fault, title: words().with_fault },
    usual,
    ...names.map((name) => make("option", { value: name }, words().fault[name])),
  );
}

export const wish = (fault, amountFen) => ({ fault, value: VALUES[fault]?.(amountFen) ?? null });

export async function askForFault(target, fault, amountFen) {
  if (!fault) return;
  await post("/faults", { target, times: 1, ...wish(fault, amountFen) });
}
