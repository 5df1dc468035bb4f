// A refusal of the API, shown in its own words: what happened, what to do next, whom to call, and the number to quote.

import { icon, make } from "./dom.js";
import { named } from "./words.js";
import { words } from "./words/phone.js";

const flat = (errors, name = "") =>
  Array.isArray(errors)
    ? errors.map((text) => [name, text])
    : Object.entries(errors ?? {}).flatMap(([key, inner]) => flat(inner, name || key));

export function call(number) {
  return make("a", { class: "call", href: `tel:${number}` }, icon("phone"), number);
}

// A window to go to: name, address, hours, phone.
export function counterCard(counter) {
  if (!counter?.name) return null;
  const rows = [
    [words().problem.address, counter.address],
    [words().problem.hours, counter.hours],
  ].filter(([, text]) => text);
  return make(
    "div",
    { class: "counter", lang: "zh-CN" },
    make("strong", {}, counter.name, counter.to_confirm ? make("small", { class: "note" }, `（${words().to_confirm}）`) : null),
    ...rows.map(([name, text]) => make("p", {}, `${name}：${text}`)),
    counter.phone ? make("p", {}, call(counter.phone)) : null,
  );
}

function numbers(error) {
  const { problem } = error;
  const rows = [
    [words().problem.code, error.code],
    [words().problem.status, error.status],
    [words().problem.request, problem.request_id],
  ].filter(([, value]) => value);
  return make(
    "details",
    { class: "facts" },
    make("summary", {}, words().problem.facts),
    make("dl", {}, ...rows.flatMap(([name, value]) => [make("dt", {}, name), make("dd", {}, String(value))])),
  );
}

// `buttons`: what the screen offers as a way on.
export function problemCard(error, buttons = []) {
  if (!error.problem) {
    // A mistake of the page itself: said as it is, so that nobody takes it for the API's word.
    return make("section", { class: "problem", role: "alert" }, make("h3", {}, error.name), make("p", {}, error.message));
  }
  const { title, detail } = error;
  const { hotline, errors, counter, ways } = error.problem;
  return make(
    "section",
    { class: "problem", role: "alert" },
    make("h3", { lang: "zh-CN" }, icon("warn"), title),
    detail ? make("p", { lang: "zh-CN" }, detail) : null,
    ...flat(errors).map(([field, text]) => make("p", { class: "field-fault", lang: "zh-CN" }, `${named(words().problem.field, field)}：${text}`)),
    counterCard(counter),
    ...(ways ?? []).map((way) => make("p", { lang: "zh-CN" }, make("strong", {}, way.title), ` ${way.detail}`)),
    hotline ? make("p", {}, `${words().problem.hotline} `, call(hotline)) : null,
    buttons.length ? make("div", { class: "row" }, ...buttons) : null,
    numbers(error),
  );
}
