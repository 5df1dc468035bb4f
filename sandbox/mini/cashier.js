// The platform's cashier over the program: its amount, its button, its 支付成功. What shall go wrong was chosen in the world.

import { icon, make, yuan } from "./dom.js";
import { problemCard } from "./problems.js";
import { named } from "./words.js";
import { chosenFaults, forgetWishes } from "./wishes.js";
import { words } from "./words/pay.js";

// Resolves to {paid, said} once the visitor has closed it.
export function cashier(phone, order) {
  const { platform } = phone.program;
  return new Promise((resolve) => {
    const close = (told) => {
      phone.shell.lift();
      resolve(told);
    };
    const pay = async (outcome, button) => {
      button.disabled = true;
      try {
        const told = await phone.platform.pay(order.launch, outcome, outcome === "pay" ? chosenFaults() : [], order.total_fen);
        if (outcome === "pay") forgetWishes();
        if (told.paid) phone.shell.lay(thanks(platform, order, () => close(told)));
        else close(told);
      } catch (error) {
        button.disabled = false;
        trouble.replaceChildren(problemCard(error));
      }
    };
    const trouble = make("div");
    const confirm = make("button", { type: "button", class: "wide", "data-focus": "", onclick: () => pay("pay", confirm) }, words().confirm_pay);
    const leave = make("button", { type: "button", class: "bar-button", "aria-label": words().walk_away, onclick: () => pay("cancel", leave) }, icon("close"));
    const faults = chosenFaults();
    phone.shell.lay(
      make(
        "section",
        { class: "cashier", role: "dialog", "aria-modal": "true", "aria-label": words().cashier[platform] },
        make("div", { class: "cashier-head" }, leave, make("h3", {}, words().cashier[platform])),
        make("p", { class: "centred", lang: "zh-CN" }, words().payee),
        make("p", { class: "big money" }, yuan(order.total_fen)),
        make("dl", { class: "rows" }, make("dt", {}, words().insured), make("dd", {}, order.insured_name), make("dt", {}, words().months), make("dd", {}, [...new Set(order.lines.map((line) => words().month(line.coverage_month)))].join("、"))),
        faults.length ? make("p", { class: "demo-note" }, `${words().will_go_wrong}${faults.map((each) => named(words().faults, each)).join("、")}`) : null,
        trouble,
        confirm,
      ),
    );
  });
}

function thanks(platform, order, close) {
  return make(
    "section",
    { class: "cashier thanks", role: "dialog", "aria-modal": "true", "aria-label": words().paid_well },
    icon("done"),
    make("h3", {}, words().paid_well),
    make("p", { class: "big money" }, yuan(order.total_fen)),
    make("p", { class: "hint" }, words().cashier[platform]),
    make("button", { type: "button", class: "wide", "data-focus": "", onclick: close }, words().finished),
  );
}
