// Draws the fields of an application form as the API names them, and reads what was filled in. What is not touched is not sent.

import { make, yuan } from "./dom.js";
import { words } from "./words/apply.js";

const PREFIX = 6;
const months = (first, last) => {
  const told = [];
  for (let [year, month] = first.split("-").map(Number); `${year}-${String(month).padStart(2, "0")}` <= last; month += 1) {
    if (month > 12) [year, month] = [year + 1, 1];
    told.push(`${year}-${String(month).padStart(2, "0")}`);
  }
  return told;
};

const option = (value, text) => make("option", { value }, text);

function boxOf(field, form, areas) {
  if (field.type === "CHOICE" || field.type === "MONTH") {
    const choices = field.type === "MONTH" ? months(form.first_month, form.last_month).map((each) => option(each, words().month(each))) : field.options.map((each) => option(each.value, each.elsewhere ? each.label + words().elsewhere : each.label));
    return make("select", { name: field.key }, option("", words().choose), ...choices);
  }
  const kinds = { PHONE: { type: "tel", inputMode: "tel" }, CARD_NUMBER: { inputMode: "numeric" }, DIVISION: { inputMode: "numeric", maxLength: PREFIX, list: `areas-${field.key}` } };
  const box = make("input", { type: "text", autocomplete: "off", spellcheck: false, name: field.key, maxLength: field.longest ?? 100, ...kinds[field.type] });
  if (field.type !== "DIVISION") return box;
  return [box, make("datalist", { id: `areas-${field.key}` }, ...areas.map((area) => make("option", { value: area.code }, area.name)))];
}

// `filled`: what the draft holds already, masked, by key. It stays where nothing is typed.
export function fieldsOf(step, form, { filled, areas, chosen }) {
  const rows = step.fields.map((field) => {
    if (field.read_only) return { field, node: known(field.label, field.value), box: null };
    const [box, ...more] = [boxOf(field, form, areas)].flat();
    const before = filled[field.key] ?? "";
    const same = field.options.find((each) => each.label === before);
    if (same) box.value = same.value;
    const hints = [before && !same ? words().kept(before) : "", field.help ?? "", field.type === "DIVISION" ? words().division : ""].filter(Boolean);
    const label = make("span", {}, field.label, field.required ? "" : words().optional);
    const node = make("label", { class: "field", lang: "zh-CN" }, label, box, ...more, ...hints.map((hint) => make("small", {}, hint)));
    return { field, node, box, before };
  });
  const isAsked = ({ field }) => {
    const { depends_on: on } = field;
    if (!on) return true;
    const there = on.key === "insurance_type" ? chosen() : [rows.find((row) => row.field.key === on.key)?.box?.value];
    return there.some((each) => on.values.includes(each));
  };
  const show = () => rows.forEach((row) => { row.node.hidden = !isAsked(row); });
  rows.forEach((row) => row.box?.addEventListener("change", show));
  const asked = () => rows.filter((row) => row.box && isAsked(row));
  return {
    nodes: rows.map((row) => row.node),
    show,
    lacking: () => asked().filter((row) => row.field.required && !row.box.value.trim() && !row.before).map((row) => row.field.label),
    values: () => Object.fromEntries(asked().filter((row) => row.box.value.trim()).map((row) => [row.field.key, row.box.value.trim()])),
    // What this person would type: the sandbox's shortcut.
    fillIn(owner) {
      const home = owner.id_number.slice(0, PREFIX);
      for (const { field, box } of rows.filter((row) => row.box && !row.box.value)) {
        const own = field.options.find((each) => each.value === home) ?? field.options.find((each) => !each.elsewhere);
        const usual = { TEXT: words().address, PHONE: owner.phone, CARD_NUMBER: owner.bank_card, DIVISION: home, CHOICE: own?.value, MONTH: form.default_month };
        if (field.required) box.value = usual[field.type] ?? "";
      }
      show();
    },
  };
}

// What the page itself sees to be lacking, before anything is sent.
export const complain = (phone, text) => phone.shell.remark(make("p", { class: "problem", role: "alert" }, text));

export const known = (label, value) => make("p", { class: "known", lang: "zh-CN" }, make("span", { class: "label" }, label), make("strong", {}, value || "—"));

// Which insurances, and at which tier; or, to suspend, which of those that run.
export function insurancesOf(form, { kind, filled, changed }) {
  const isPause = kind === "SUSPENSION";
  const running = new Set(form.current.filter((each) => each.fits).map((each) => each.insurance_type));
  const rows = form.insurances.filter((each) => !isPause || running.has(each.insurance_type)).map((each) => (isPause ? tickRow(each, filled, changed) : tierRow(each, filled, changed)));
  return {
    nodes: rows.map((row) => row.node),
    chosen: () => rows.filter((row) => row.value()).map((row) => row.insurance_type),
    values: () => rows.map((row) => row.value()).filter(Boolean),
    fillIn: () => rows.forEach((row, at) => row.fillIn(at === 0)),
  };
}

function tickRow(insurance, filled, changed) {
  const { insurance_type } = insurance;
  const box = make("input", { type: "checkbox", checked: filled.some((each) => each.insurance_type === insurance_type), onchange: changed });
  const fillIn = (isFirst) => {
    box.checked = box.checked || isFirst;
    changed();
  };
  return { insurance_type, node: make("label", { class: "tick", lang: "zh-CN" }, box, make("span", {}, words().stop_this(insurance.title))), value: () => (box.checked ? { insurance_type } : null), fillIn };
}

const WAGE = "wage";

function tierRow(insurance, filled, changed) {
  const { insurance_type, plan } = insurance;
  const before = filled.find((each) => each.insurance_type === insurance_type);
  const tiers = insurance.tiers.map((tier) => option(tier.tier, words().tier(tier.label, yuan(tier.amount_fen))));
  const box = make("select", { name: `insurance-${insurance_type}` }, option("", insurance.may_be_declined ? words().none : words().choose), ...tiers, insurance.allow_declared_wage ? option(WAGE, words().wage) : null);
  const wage = make("input", { type: "text", inputMode: "decimal", name: `wage-${insurance_type}` });
  const wageField = make("label", { class: "field", hidden: true }, words().wage_yuan(yuan(insurance.floor_fen ?? 0), yuan(insurance.ceiling_fen ?? 0)), wage);
  if (before) box.value = before.tier ?? WAGE;
  if (before && !before.tier && before.base_fen) wage.value = String(before.base_fen / 100);
  const look = () => {
    wageField.hidden = box.value !== WAGE;
    changed();
  };
  box.addEventListener("change", look);
  wageField.hidden = box.value !== WAGE;
  const notes = [insurance.sample ? "示例金额" : "", insurance.provisional ? "暂按上年基数，公布后多退少补" : ""].filter(Boolean).join("；");
  const node = make("div", { class: "field", lang: "zh-CN" }, make("label", { class: "field" }, insurance.title, box), wageField, notes ? make("small", {}, notes) : null);
  return {
    insurance_type,
    node,
    value: () => (box.value ? { insurance_type, plan, ...(box.value === WAGE ? { declared_wage_fen: Math.round(Number(wage.value) * 100) || null } : { tier: box.value }) } : null),
    fillIn(isFirst) {
      if (isFirst && !box.value) box.value = insurance.tiers[Math.min(2, insurance.tiers.length - 1)]?.tier ?? "";
      look();
    },
  };
}
