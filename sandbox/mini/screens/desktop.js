// The phone's own home screen: whose it is, and the programs on it.

import { make } from "../dom.js";
import { PROGRAMS, hostOf, purposeOf, titleOf } from "../programs.js";
import { words } from "../words/phone.js";

export const title = () => words().desktop;
export const bare = true;

export async function render(phone) {
  if (!phone.owners?.length) return make("p", { class: "empty" }, words().nobody);
  const picker = make(
    "select",
    { onchange: (event) => phone.takePhoneOf(Number(event.target.value)) },
    ...phone.owners.map((each, at) => make("option", { value: String(at), selected: at === phone.session.owner }, `${each.label} ${each.name}`)),
  );
  const icons = PROGRAMS.map((program) =>
    make(
      "li",
      {},
      make(
        "button",
        { type: "button", class: "app", "data-program": program.code, onclick: () => phone.open(program.code) },
        make("span", { class: `app-icon ${program.platform}`, "aria-hidden": "true" }, program.mark),
        make("span", { class: "app-title" }, titleOf(program)),
        make("span", { class: "app-host" }, `${hostOf(program)} · ${purposeOf(program)}`),
      ),
    ),
  );
  return [make("label", { class: "field owner" }, words().owner, picker), make("p", { class: "hint" }, words().desktop_hint), make("ul", { class: "apps" }, ...icons)];
}
