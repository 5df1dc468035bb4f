// 我要办: before the form. What to agree to, what one is insured in now, which papers to have ready, and a case that is open already.

import { make } from "../dom.js";
import { named } from "../words.js";
import { words } from "../words/apply.js";

export const opens = ["ENROLL", "RESUME", "SUSPEND"];
const KINDS = { ENROLL: "NEW_ENROLLMENT", RESUME: "RESUMPTION", SUSPEND: "SUSPENSION" };
export const toParams = (entry) => ({ kind: KINDS[entry.capability], title: entry.title });
export const title = (phone, { title: given }) => given ?? words().apply;

export async function render(phone, params) {
  const { kind, joint_case_id: joint } = params;
  const [form, { applications }] = await Promise.all([phone.api.readApplicationForm({ kind }), phone.api.listApplications()]);
  const open = applications.find((each) => each.kind === kind && each.region === form.region && each.can.some((can) => ["CHANGE", "WITHDRAW"].includes(can)));
  const lacking = form.consents.filter((each) => !each.given);
  const begin = phone.button(words().begin, () => phone.go("apply_step", { kind, title: params.title, at: 0, joint }), "wide");
  return {
    body: [
      make("p", { class: "region-name", lang: "zh-CN" }, form.region_name),
      open ? openCase(phone, params, open) : null,
      current(form),
      papers(form),
      make("section", { class: "card" }, make("h3", {}, words().first_read), ...form.consents.map((each) => consentLine(phone, each))),
    ],
    foot: lacking.length || open ? null : begin,
  };
}

function openCase(phone, { kind, title: given }, open) {
  const more = open.can.includes("CHANGE")
    ? phone.button(words().go_on, () => phone.go("apply_step", { kind, title: given, at: 0, id: open.id }), "wide")
    : phone.button(words().see_case, () => phone.go("case_progress", { id: open.id }), "wide");
  return make("section", { class: "card next" }, make("h3", {}, words().open_case), make("p", { lang: "zh-CN" }, `${open.case_no} ${open.state_text}`), more);
}

function consentLine(phone, { purpose, title: text, given }) {
  const state = given ? make("span", { class: "chip good" }, words().agreed) : phone.button(words().read, () => phone.go("consent", { purpose }), "quiet small");
  return make("div", { class: "line" }, make("span", { class: "what", lang: "zh-CN" }, text), state);
}

function current(form) {
  const rows = form.current.map((each) =>
    make("p", { lang: "zh-CN" }, `${form.insurances.find((one) => one.insurance_type === each.insurance_type)?.title ?? each.insurance_type}　${each.pooling_area_name}　${named(words().enrollment, each.state)}　${words().since(each.start_month, each.end_month)}`, each.fits ? make("span", { class: "chip good" }, words().fits) : null),
  );
  return make("section", { class: "card" }, make("h3", {}, words().now), ...(rows.length ? rows : [make("p", { class: "hint" }, words().nothing_now)]));
}

function papers(form) {
  const labels = Object.fromEntries(form.documents.map((each) => [each.kind, each.label]));
  const sets = form.document_sets.filter((each) => each.length).map((each) => each.map((kind) => labels[kind] ?? kind).join("、"));
  if (!sets.length) return null;
  return make("section", { class: "card" }, make("h3", {}, words().papers_needed), make("p", { lang: "zh-CN" }, sets.join(`；${words().or}：`)), ...form.documents_besides.map((each) => make("p", { class: "hint", lang: "zh-CN" }, each.because)));
}
