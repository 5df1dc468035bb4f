// 联合办: enrolment, debit agreement and first payment followed as one; residents say which scheme is theirs.

import { newKey } from "/client/canbao.js";
import { make } from "../dom.js";
import { named } from "../words.js";
import { words } from "../words/apply.js";

export const opens = ["JOINT_CASE"];
export const toParams = (entry) => ({ title: entry.title, consent: entry.consent });
export const title = (phone, { title: given }) => given ?? words().joint;

export async function render(phone, { id, title: given, consent }) {
  if (consent) {
    phone.replace("consent", { purpose: consent, then: "joint", then_params: { title: given } });
    return [];
  }
  if (id) return steps(phone, await phone.api.readJointCase({ case_id: id }));
  const { joint_cases: cases } = await phone.api.listJointCases();
  const open = cases.find((each) => !each.is_done);
  return open ? steps(phone, open) : opening(phone, given);
}

function opening(phone, given) {
  const key = newKey();
  const open = (resident) => async () => {
    const menu = await phone.api.readMenu();
    const told = await phone.api.openJointCase({ region: menu.region, resident_scheme: resident }, { key: resident ? `${key}-${resident}` : key });
    await phone.replace("joint", { id: told.id, title: given });
  };
  return {
    body: [
      make("p", { class: "card" }, words().joint_hint),
      make("section", { class: "card" }, make("h3", {}, words().resident), phone.button(words().resident_170, open("170"), "quiet"), phone.button(words().resident_390, open("390"), "quiet")),
    ],
    foot: phone.button(words().joint_open, open(null), "wide"),
  };
}

function onward(phone, joint, step) {
  if (step.application_ids.length) return step.application_ids.map((id) => phone.button(words().see_case, () => phone.go("case_progress", { id }), "quiet small"));
  if (step.state !== "TO_DO") return [];
  const go = {
    ENROLLMENT: () => phone.go("apply", { kind: "NEW_ENROLLMENT", title: step.title, joint_case_id: joint.id }),
    AGREEMENT: () => phone.go("agreements"),
    PAYMENT: () => phone.go("bills", { who: "self" }),
  }[step.step];
  return go ? [phone.button(words().joint_go[step.step], go)] : [];
}

const steps = (phone, joint) => [
  make("p", { class: "number" }, joint.case_no),
  make(
    "ol",
    { class: "steps" },
    ...joint.steps.map((step) =>
      make("li", { class: "card", "data-step": step.step }, make("h3", { lang: "zh-CN" }, step.title, make("span", { class: step.state === "DONE" ? "chip good" : "chip" }, named(words().joint_state, step.state))), step.explanation ? make("p", { lang: "zh-CN" }, step.explanation) : null, ...onward(phone, joint, step)),
    ),
  ),
];
