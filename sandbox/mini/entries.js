// A menu entry as a button. What cannot be done now can still be pressed: it says why, and where instead.

import { icon, make } from "./dom.js";
import { named } from "./words.js";
import { words } from "./words/phone.js";
import { screenFor } from "./screens/index.js";

const SIGNS = {
  PAY: "wallet", PAY_BY_ID_NUMBER: "card", PAY_FOR_SWITCHED: "family", PAY_FOR_OTHERS: "family", SWITCH_PERSON: "switch", ADD_PERSON: "add",
  PROVE_IDENTITY: "shield", ENROLLMENT: "form", RESUMPTION: "resume", SUSPENSION: "pause", BACK_PAYMENT: "clock", WITHHOLDING: "card",
  NEW_AGREEMENT: "add", REGISTRATION_FORM: "print", TO_DO: "form", TO_LOOK_UP: "search", CASE_STATUS: "search", CASE_PROGRESS: "clock",
  SOCIAL_INSURANCE: "shield", EMPLOYMENT_CLOUD: "cloud", AGENCY_AND_FILES: "folder", JOINT_CASE: "link",
};

export function entryButton(phone, entry) {
  const lives = entry.available && (screenFor(entry) || entry.children.length);
  const why = entry.available ? (lives ? null : "NO_SCREEN") : entry.why_not;
  return make(
    "button",
    { type: "button", class: `entry ${why ? "off" : ""}`, "data-entry": entry.code, onclick: () => phone.follow(entry) },
    icon(SIGNS[entry.code] ?? "form"),
    make("span", { class: "entry-title", lang: "zh-CN" }, idNumberOf(phone, entry) ?? entry.title),
    words().entry[entry.code] ? make("span", { class: "why" }, words().entry[entry.code]) : null,
    why ? make("span", { class: "why" }, named(words().why, why)) : null,
  );
}

// Alipay's way in to the bills is the ID number itself (R-CZ-53).
function idNumberOf(phone, entry) {
  const number = phone.session.account?.id_number;
  return entry.code === "PAY_BY_ID_NUMBER" && number ? `${entry.title} ${number}` : null;
}
