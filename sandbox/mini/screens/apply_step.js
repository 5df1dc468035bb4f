// One page of a form. 下一步 keeps it as a draft at Canbao, so that nothing private lies on the phone; the last page goes on to the papers, or hands in.

import { newKey } from "/client/canbao.js";
import { complain, fieldsOf, insurancesOf } from "../application_fields.js";
import { make } from "../dom.js";
import { words } from "../words/apply.js";

export const title = (phone, { title: given }) => given ?? words().apply;

export async function render(phone, params) {
  const { kind, at, id } = params;
  const form = await phone.api.readApplicationForm({ kind });
  const [draft, region] = await Promise.all([id ? phone.api.readApplication({ application_id: id }) : null, phone.api.readRegion({ code: form.region })]);
  const step = form.steps[at];
  const filled = Object.fromEntries((draft?.fields ?? []).map((each) => [each.key, each.value]));
  let fields = null;
  const insurances = step.asks_insurances ? insurancesOf(form, { kind, filled: draft?.insurances ?? [], changed: () => fields?.show() }) : null;
  fields = fieldsOf(step, form, { filled, areas: region.areas, chosen: insurances ? insurances.chosen : () => (draft?.insurances ?? []).map((each) => each.insurance_type) });
  fields.show();
  const isLast = at === form.steps.length - 1;
  const hasPapers = form.document_sets.some((each) => each.length);
  const submits = isLast && !hasPapers && form.submission === "SAVE_SUBMITS";
  const next = phone.button(
    submits ? form.submit_label : words().next,
    async () => {
      const lacking = fields.lacking();
      if (lacking.length) return complain(phone, words().lacking(lacking.join("、")));
      if (insurances && !insurances.values().length) return complain(phone, words().no_insurance);
      const kept = await keep(phone, params, form, { draft, fields: fields.values(), insurances: insurances?.values() });
      if (submits) return submit(phone, kept);
      if (!isLast) return phone.go("apply_step", { ...params, at: at + 1, id: kept.id });
      return phone.go(hasPapers ? "papers" : "check", { kind, title: params.title, id: kept.id });
    },
    "wide",
  );
  const fillIn = () => {
    phone.shell.remark(null);
    insurances?.fillIn();
    fields.fillIn(phone.owner);
  };
  return {
    body: [
      make("h3", { lang: "zh-CN" }, step.title),
      make("p", { class: "hint" }, words().step(at + 1, form.steps.length)),
      phone.owner ? make("button", { type: "button", class: "demo", onclick: fillIn }, words().fill_in) : null,
      make("section", { class: "card form" }, ...(insurances?.nodes ?? []), ...fields.nodes),
    ],
    foot: next,
  };
}

// A draft is made on the first page, and changed after that. Going back and on again changes it, and makes no second one.
async function keep(phone, params, form, { draft, fields, insurances }) {
  const given = { fields, ...(insurances ? { insurances } : {}) };
  try {
    if (draft) return await phone.api.changeApplication({ application_id: draft.id, version: draft.version, ...given });
    params.key ??= newKey();
    const wishes = { ...(params.joint ? { joint_case_id: params.joint } : {}), ...(params.copied_from ? { copied_from: params.copied_from } : {}) };
    const made = await phone.api.createApplication({ kind: params.kind, region: form.region, ...given, ...wishes }, { key: params.key });
    params.id = made.id;
    return made;
  } catch (error) {
    if (error.code !== "IDEMPOTENCY_KEY_REUSED") throw labelled(error, form);
    params.key = newKey(); // another content is another intention
    return keep(phone, params, form, { draft, fields, insurances });
  }
}

export async function submit(phone, draft) {
  const told = await phone.api.submitApplication({ application_id: draft.id, version: draft.version });
  await phone.reset("home");
  await phone.go("case_progress", { id: told.id });
}

// Complaints name fields by their keys; people know them by their labels.
export function labelled(error, form) {
  const labels = Object.fromEntries(form.steps.flatMap((step) => step.fields.map((each) => [each.key, each.label])));
  const rename = (told) => (told && typeof told === "object" && !Array.isArray(told) ? Object.fromEntries(Object.entries(told).map(([key, inner]) => [labels[key] ?? key, rename(inner)])) : told);
  if (error.problem?.errors) error.problem.errors = rename(error.problem.errors.fields ?? error.problem.errors);
  return error;
}
