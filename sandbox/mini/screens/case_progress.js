// 进度查看: one case, what was done with it when and by whom, and what can be done now.

import { make, moment } from "../dom.js";
import { address } from "../photographs.js";
import { named } from "../words.js";
import { words } from "../words/apply.js";
import { facts } from "./check.js";

export const title = () => words().case;

const rows = (told) =>
  make(
    "dl",
    { class: "card rows" },
    ...[
      [words().case_no, told.case_no],
      [words().submitted_at, moment(told.submitted_at)],
      [words().due_at, told.due_at && ["SUBMITTED", "UNDER_REVIEW"].includes(told.state) ? `${moment(told.due_at)}${told.due_is_provisional ? `（${words().provisional_due}）` : ""}` : ""],
      [words().reason, told.reason_text],
    ]
      .filter(([, value]) => value)
      .flatMap(([name, value]) => [make("dt", {}, name), make("dd", { lang: "zh-CN" }, value)]),
  );

export async function printForm(phone, { id, case_no: no }) {
  const pdf = await phone.api.printRegistrationForm({ application_id: id });
  make("a", { href: address(pdf, "application/pdf"), download: `${no}.pdf` }).click();
  phone.tell(words().printed);
}

function ways(phone, told) {
  const { can, id, kind } = told;
  const step = { kind, title: told.kind_text, at: 0 };
  const withdraw = async () => {
    await phone.api.withdrawApplication({ application_id: id });
    await phone.redraw();
    phone.tell(words().withdrawn);
  };
  return [
    can.includes("CHANGE") ? phone.button(words().go_on, () => phone.go("apply_step", { ...step, id }), "wide") : null,
    can.includes("PRINT_FORM") ? phone.button(words().print, () => printForm(phone, told), "quiet wide") : null,
    can.includes("COPY") ? phone.button(words().copy, () => phone.go("apply_step", { ...step, copied_from: id }), "quiet wide") : null,
    can.includes("WITHDRAW") ? make("details", {}, make("summary", {}, words().withdraw), phone.button(words().sure_withdraw, withdraw, "quiet wide")) : null,
  ];
}

export async function render(phone, { id }) {
  const told = await phone.api.readApplication({ application_id: id });
  return {
    body: [
      make(
        "section",
        { class: "card centred", "data-case-state": told.state, role: "status" },
        make("h3", { lang: "zh-CN" }, `${told.kind_text}：${told.state_text}`),
        told.apology ? make("p", { lang: "zh-CN" }, told.apology) : null,
        told.mend_by ? make("p", { class: "why" }, words().mend_by(told.mend_by)) : null,
        told.what_next ? make("p", { lang: "zh-CN" }, told.what_next) : null,
      ),
      rows(told),
      make(
        "section",
        { class: "card" },
        make("h3", {}, words().timeline),
        make("ol", { class: "timeline" }, ...told.timeline.map((each) => make("li", {}, make("strong", { lang: "zh-CN" }, each.title), make("small", {}, `${moment(each.at)}　${named(words().actor, each.actor)}`), each.remark ? make("p", { lang: "zh-CN" }, each.remark) : null))),
      ),
      ...facts(told),
    ],
    foot: ways(phone, told),
  };
}
