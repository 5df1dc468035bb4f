// The page before the first page: what the program asks the platform for. Refusing leads on too, to looking around.

import { icon, make } from "../dom.js";
import { words } from "../words/phone.js";

export const title = (phone) => phone.titleOfProgram();

export async function render(phone) {
  const { platform } = phone.program;
  if (platform === "app") {
    phone.replace("sms");
    return [];
  }
  const agree = phone.button(words().authorise[platform], async () => {
    const told = await phone.api.createSession({ miniprogram: phone.program.code, code: await phone.platform.login() });
    phone.session.changed(told.account);
    phone.reset("home");
  });
  agree.className = "wide";
  const refuse = phone.button(words().authorise.refuse, () => phone.go("browse"), "quiet wide");
  const wants = platform === "alipay" ? ["profile", "real_name"] : ["profile"];
  return {
    body: [
      make("div", { class: "emblem", "aria-hidden": "true" }, phone.program.mark),
      make("h3", { class: "centred" }, words().authorise.welcome(phone.titleOfProgram())),
      make(
        "section",
        { class: "card" },
        make("p", {}, `${phone.titleOfProgram()} ${words().authorise.wants}`),
        make("ul", { class: "wants" }, ...wants.map((want) => make("li", {}, icon("check"), make("span", {}, words().authorise[want])))),
        make("p", { class: "hint" }, words().authorise.what_for),
      ),
    ],
    foot: [agree, refuse],
  };
}
