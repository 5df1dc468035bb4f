// The picker of misbehaviour for one order, and what each choice asks of the sandbox.

import { make } from "/phone/dom.js";
import { wish } from "/phone/wishes.js";
import { post } from "./api.js";
import { faultWords, words } from "./words.js";

const ONLY = { finished_first: "alipay", gbk: "alipay", signtest: "wechat_pay", stale: "wechat_pay", wrong_currency: "wechat_pay", certificate_key: "wechat_pay" };

export function faultPicker(channel) {
  const names = Object.keys(faultWords()).filter((name) => (ONLY[name] ?? channel) === channel);
  const usual = make("option", { value: "" }, words().misbehave);
  return make(
    "select",
    { "aria-label": words().with_fault, title: words().with_fault },
    usual,
    ...names.map((name) => make("option", { value: name }, faultWords()[name])),
  );
}

export async function askForFault(target, fault, amountFen) {
  if (!fault) return;
  await post("/faults", { target, times: 1, ...wish(fault, amountFen) });
}
