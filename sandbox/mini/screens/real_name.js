// 实名认证: name, mobile number, ID number, 确认 (R-CZ-44).

import { make } from "../dom.js";
import { filler, input } from "../forms.js";
import { words } from "../words/identity.js";

export const title = () => words().real_name;

export async function render(phone) {
  const name = input({ label: words().name, name: "name", autocomplete: "name" });
  const number = input({ label: words().id_number, name: "id_number", maxLength: 18 });
  const mobile = input({ label: words().phone, name: "phone", inputMode: "tel", autocomplete: "tel", hint: phone.session.account?.phone ? words().phone_known(phone.session.account.phone) : null });
  const confirm = phone.button(
    words().confirm,
    async () => {
      await phone.api.proveName({ name: name.value, id_number: number.value, ...(mobile.value ? { phone: mobile.value } : {}) });
      await phone.replace("prove");
    },
    "wide",
  );
  return {
    body: [
      filler(phone, [
        [name, phone.owner?.name],
        [number, phone.owner?.id_number],
        [mobile, phone.owner?.phone],
      ]),
      make("section", { class: "card form" }, name.node, mobile.node, number.node),
      make("p", { class: "hint" }, words().real_name_why),
    ],
    foot: confirm,
  };
}
