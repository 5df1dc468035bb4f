// The tax authority hears of what was paid on the phone and sends its list of the day; the registrar answers what that list had.

import { during, make, say } from "/phone/dom.js";
import { post } from "./api.js";
import { words } from "./words.js";

const place = document.getElementById("authorities");
const said = document.getElementById("authorities-said");
const today = () => new Intl.DateTimeFormat("sv-SE", { timeZone: "Asia/Shanghai" }).format(new Date());

// The phone shows ID numbers masked, as everybody sees them; the tax authority knows whose they are.
function idNumberOf(owners, masked) {
  const [head, tail] = [masked.slice(0, 3), masked.slice(-4)];
  return owners?.find((each) => each.id_number.startsWith(head) && each.id_number.endsWith(tail))?.id_number ?? null;
}

function monthsOf(phone, authority) {
  return phone.session.paid
    .filter((order) => order.authority === authority)
    .flatMap((order) =>
      order.lines.map((line) => ({
        id_number: idNumberOf(phone.owners, order.insured_id_number),
        insurance_type: line.insurance_type,
        coverage_month: Number(line.coverage_month.replace("-", "")),
        amount_fen: line.amount_fen,
        payment_no: order.payment_no,
      })),
    )
    .filter((month) => month.id_number);
}

async function send(phone, path) {
  const authorities = new Set(phone.session.paid.map((order) => order.authority));
  let lines = 0;
  for (const authority of authorities) {
    const months = path === "/tax-list" ? monthsOf(phone, authority) : undefined;
    lines += (await post(path, { authority, day: today(), months })).lines;
  }
  say(said, authorities.size ? words().listed(lines) : words().nothing_paid);
}

export function drawAuthorities(phone) {
  const lever = (text, path) => {
    const button = make("button", { type: "button", class: "quiet" }, text);
    button.addEventListener("click", () => during(button, () => send(phone, path)).catch((error) => say(said, error.message)));
    return button;
  };
  say(said, "");
  place.replaceChildren(lever(words().tax_list, "/tax-list"), lever(words().registrar_list, "/registrar-list"));
}
