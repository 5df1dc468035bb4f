// The app's way in: phone and SMS code; whoever has no account registers with the same code (用户注册).

import { make } from "../dom.js";
import { filler, input } from "../forms.js";
import { words } from "../words/phone.js";

export const title = () => words().sms.title;

export async function render(phone) {
  const number = input({ label: words().sms.phone, name: "phone", inputMode: "tel", autocomplete: "tel" });
  const code = input({ label: words().sms.code, name: "sms_code", inputMode: "numeric", autocomplete: "one-time-code", maxLength: 6 });
  const told = make("p", { class: "hint", role: "status" });
  const miniprogram = phone.program.code;

  const ask = phone.button(
    words().sms.get_code,
    async () => {
      const sent = await phone.api.createSmsCode({ miniprogram, phone: number.value });
      told.textContent = `${words().sms.sent(sent.valid_for_seconds)} ${words().sms.again_in(sent.next_after_seconds)}`;
      code.box.focus();
    },
    "quiet",
  );
  const enter = async (way) => {
    const told = await phone.api[way]({ miniprogram, phone: number.value, sms_code: code.value });
    phone.session.changed(told.account);
    phone.reset("home");
  };
  const register = phone.button(words().sms.register, () => enter("createAccount"), "quiet wide");
  const signIn = phone.button(words().sms.sign_in, () => enter("createSession"), "wide");
  return {
    body: [
      make("div", { class: "emblem", "aria-hidden": "true" }, phone.program.mark),
      filler(phone, [[number, phone.owner?.phone]]),
      make("section", { class: "card form" }, number.node, ask, told, code.node),
      make("p", { class: "hint" }, words().sms.voice),
    ],
    foot: [signIn, register],
  };
}
