// 办件状态: every case of mine, newest first, and the joint ones above.

import { icon, make, moment } from "../dom.js";
import { words } from "../words/apply.js";

export const opens = ["CASE_STATUS", "CASE_PROGRESS"];
export const toParams = (entry) => ({ title: entry.title });
export const title = (phone, { title: given }) => given ?? words().cases;

const row = (phone, screen, id, name, no, state, at) =>
  make(
    "li",
    {},
    make(
      "button",
      { type: "button", class: "list-row", "data-case": id, onclick: () => phone.go(screen, { id }) },
      make("span", { class: "what" }, make("strong", { lang: "zh-CN" }, name), make("span", { lang: "zh-CN" }, state), make("small", {}, no), make("small", {}, at)),
      icon("forward"),
    ),
  );

export async function render(phone) {
  const [{ applications }, { joint_cases: joint }] = await Promise.all([phone.api.listApplications(), phone.api.listJointCases()]);
  if (!applications.length && !joint.length) return make("p", { class: "empty" }, words().no_cases);
  return make(
    "ul",
    { class: "list" },
    ...joint.map((each) => row(phone, "joint", each.id, words().joint, each.case_no, each.is_done ? words().joint_state.DONE : words().joint_state.UNDER_WAY, moment(each.created_at))),
    ...applications.map((each) => row(phone, "case_progress", each.id, each.kind_text, each.case_no, each.state_text, moment(each.submitted_at ?? each.created_at))),
  );
}
