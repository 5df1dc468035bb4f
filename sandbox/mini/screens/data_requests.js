// What I asked for about my data, and asking: a correction, or the end of my account. (A copy one takes oneself, on the page before.)

import { newKey } from "/client/canbao.js";
import { make, moment } from "../dom.js";
import { named } from "../words.js";
import { words } from "../words/records.js";

export const title = () => words().requests;

function one(phone, each) {
  const takeBack = async () => {
    await phone.api.takeBackDataRequest({ request_id: each.id });
    await phone.redraw();
  };
  return make(
    "section",
    { class: "card", "data-request": each.state },
    make("h3", {}, named(words().request, each.kind), make("span", { class: "chip" }, named(words().request_state, each.state))),
    make("p", { class: "hint" }, moment(each.created_at), each.finished_at ? "" : `　${words().due(moment(each.due_at))}`),
    each.answer ? make("p", { lang: "zh-CN" }, each.answer) : null,
    ...each.kept.map((kept) => make("p", { class: "hint", lang: "zh-CN" }, `${words().kept}：${kept.what}（${kept.why}）`)),
    each.state === "RECEIVED" ? phone.button(words().take_back, takeBack, "quiet small") : null,
  );
}

export async function render(phone) {
  const { requests } = await phone.api.listDataRequests();
  const key = newKey();
  const wish = make("textarea", { name: "wish", rows: 3, maxLength: 500 });
  const ask = (given) => async () => {
    await phone.api.makeDataRequest(given(), { key: `${key}-${given().kind}` });
    await phone.redraw();
  };
  return [
    ...(requests.length ? requests.map((each) => one(phone, each)) : [make("p", { class: "empty" }, words().no_requests)]),
    make("section", { class: "card form" }, make("h3", {}, words().request.CORRECT), make("label", { class: "field" }, words().wish, wish), phone.button(words().send, ask(() => ({ kind: "CORRECT", wish: wish.value.trim() })))),
    make("details", { class: "card" }, make("summary", {}, words().request.DELETE), make("p", {}, words().delete_hint), phone.button(words().sure_delete, ask(() => ({ kind: "DELETE" })), "quiet")),
  ];
}
