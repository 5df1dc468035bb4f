// 谁为我缴费: who placed orders for me, and whom I refuse.

import { make, moment } from "../dom.js";
import { words } from "../words/records.js";

export const title = () => words().payers;

export async function render(phone) {
  const { payers } = await phone.api.listPayers();
  const again = (work) => async () => {
    await work();
    await phone.redraw();
  };
  return [
    make("p", { class: "hint" }, words().payers_hint),
    payers.length ? null : make("p", { class: "empty" }, words().no_payers),
    ...payers.map((each) =>
      make(
        "section",
        { class: "card" },
        make("h3", { lang: "zh-CN" }, each.name, each.block_id ? make("span", { class: "chip" }, words().blocked_since(moment(each.blocked_at))) : null),
        each.last_order_at ? make("p", { class: "hint" }, `${words().last_order} ${moment(each.last_order_at)}${each.has_paid ? `　${words().has_paid}` : ""}`) : null,
        each.holds_order ? make("p", { class: "why" }, words().holds) : null,
        each.block_id
          ? phone.button(words().unblock, again(() => phone.api.unblockPayer({ block_id: each.block_id })), "quiet")
          : phone.button(words().block, again(() => phone.api.blockPayer({ payer_id: each.payer_id })), "quiet"),
      ),
    ),
  ];
}
