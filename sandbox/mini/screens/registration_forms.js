// 打印登记表: of every approved enrolment.

import { make } from "../dom.js";
import { words } from "../words/apply.js";
import { printForm } from "./case_progress.js";

export const opens = ["PRINT_REGISTRATION_FORM"];
export const toParams = (entry) => ({ title: entry.title, consent: entry.consent });
export const title = (phone, { title: given }) => given ?? words().forms;

export async function render(phone, { title: given, consent }) {
  if (consent) {
    phone.replace("consent", { purpose: consent, then: "registration_forms", then_params: { title: given } });
    return [];
  }
  const { applications } = await phone.api.listApplications();
  const printable = applications.filter((each) => each.can.includes("PRINT_FORM"));
  if (!printable.length) return make("p", { class: "empty" }, words().no_forms);
  return printable.map((each) => make("section", { class: "card" }, make("h3", { lang: "zh-CN" }, each.kind_text), make("p", { class: "number" }, each.case_no), phone.button(words().print, () => printForm(phone, each), "wide")));
}
