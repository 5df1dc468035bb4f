// 核对, then 提交申报 or 保存: everything once more, as Canbao has it.

import { known } from "../application_fields.js";
import { make, yuan } from "../dom.js";
import { words } from "../words/apply.js";
import { words as common } from "../words/phone.js";
import { labelled, submit } from "./apply_step.js";

export const title = () => words().check;

export function facts(draft) {
  return [
    make("section", { class: "card" }, ...draft.fields.map((each) => known(each.label, each.value))),
    make(
      "section",
      { class: "card" },
      make("h3", {}, words().insurances),
      ...draft.insurances.map((each) =>
        make("p", { lang: "zh-CN" }, [each.label, each.tier_label].filter(Boolean).join("　"), each.amount_fen === null ? null : make("small", {}, `　${words().monthly} ${yuan(each.amount_fen)}${each.sample ? `　${common().sample}` : ""}`)),
      ),
    ),
    draft.documents.length ? make("section", { class: "card" }, make("h3", {}, words().papers), make("p", { lang: "zh-CN" }, draft.documents.map((each) => each.label).join("、"))) : null,
  ];
}

export async function render(phone, params) {
  const [form, draft] = await Promise.all([phone.api.readApplicationForm({ kind: params.kind }), phone.api.readApplication({ application_id: params.id })]);
  const send = async () => {
    try {
      await submit(phone, draft);
    } catch (error) {
      throw labelled(error, form);
    }
  };
  return {
    body: [make("p", { class: "hint" }, words().check_hint), ...facts(draft), form.after ? make("p", { class: "told", lang: "zh-CN" }, form.after) : null],
    foot: [phone.button(form.submit_label, send, "wide"), phone.button(words().change, () => phone.back(), "quiet wide")],
  };
}
