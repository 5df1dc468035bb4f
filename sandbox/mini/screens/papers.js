// 上传: a picture of each paper. One that is unclear is kept all the same, with advice; whoever took it decides.

import { make, moment } from "../dom.js";
import { address, photograph } from "../photographs.js";
import { words } from "../words/apply.js";

export const title = () => words().papers;

export async function render(phone, params) {
  const [form, draft] = await Promise.all([phone.api.readApplicationForm({ kind: params.kind }), phone.api.readApplication({ application_id: params.id })]);
  const there = Object.fromEntries(draft.documents.map((each) => [each.kind, each]));
  const missing = Object.fromEntries(draft.missing_documents.map((each) => [each.kind, each]));
  const sets = form.document_sets.map((each) => each.map((kind) => form.documents.find((one) => one.kind === kind)?.label ?? kind).join("、"));
  return {
    body: [
      make("p", { class: "hint" }, words().papers_hint),
      sets.length > 1 ? make("p", { class: "card", lang: "zh-CN" }, sets.join(`；${words().or}：`)) : null,
      ...form.documents.map((paper) => card(phone, params, paper, there[paper.kind], missing[paper.kind])),
    ],
    foot: phone.button(
      draft.can.includes("HAND_IN_DOCUMENTS") ? words().hand_in : words().to_check,
      async () => {
        if (draft.can.includes("HAND_IN_DOCUMENTS")) await phone.api.handInDocuments({ application_id: params.id });
        await phone.go("check", params);
      },
      "wide",
    ),
  };
}

function card(phone, params, paper, kept, missing) {
  const { kind } = paper;
  const document = { application_id: params.id, kind };
  const shown = make("div", { class: "photograph" });
  const put = async (picture) => {
    const told = await phone.api.uploadDocument({ ...document, picture });
    params.advice = { ...params.advice, [kind]: told.advice.map((each) => each.text).join(" ") };
    await phone.redraw();
  };
  const file = make("input", { type: "file", accept: "image/jpeg,image/png", name: kind, onchange: () => file.files[0] && phone.press(file, async () => put(await file.files[0].arrayBuffer())) });
  const look = async () => {
    const { url } = await phone.api.linkToDocument(document);
    const bytes = await phone.api.showPicture({ ticket: url.split("/").at(-1) });
    shown.replaceChildren(make("img", { src: address(bytes, "image/jpeg"), alt: paper.label }));
  };
  const remove = async () => {
    await phone.api.removeDocument(document);
    await phone.redraw();
  };
  return make(
    "section",
    { class: "card", "data-paper": kind },
    make("h3", { lang: "zh-CN" }, paper.label),
    paper.help ? make("p", { class: "hint", lang: "zh-CN" }, paper.help) : null,
    make("p", { class: "hint" }, kept ? make("span", { class: "chip good" }, words().uploaded(moment(kept.uploaded_at))) : words().missing),
    missing?.because ? make("p", { class: "why", lang: "zh-CN" }, missing.because) : null,
    params.advice?.[kind] ? make("p", { class: "told", lang: "zh-CN" }, params.advice[kind]) : null,
    shown,
    phone.button(words().camera, async () => put(await photograph(paper.label)), kept ? "quiet" : ""),
    make("label", { class: "field" }, words().choose_file, file),
    kept ? make("div", { class: "row" }, phone.button(words().look, look, "quiet small"), phone.button(words().remove, remove, "quiet small")) : null,
  );
}
