// Starts the page: looks at the sandbox every second while somebody is looking at the page.

import { get } from "./api.js";
import { make, say, yuan } from "./dom.js";
import { showJournal } from "./journal.js";
import { orders_path, showOrders } from "./orders.js";
import { drawPhone, findPeople } from "./phone.js";
import { isChinese, speak, switchLanguage, words } from "./words.js";

const EVERY_MS = 1000;
const offline = document.getElementById("offline");
const language = document.getElementById("language");
let last = null;

function showFigures(state) {
  const held = Object.values(state.money).reduce((total, fen) => total + fen, 0);
  const accepted = Object.values(state.probes).reduce((total, each) => total + each.accepted, 0);
  const figures = [
    [words().held, yuan(held), ""],
    [words().pending, String(state.pending_notices), ""],
    [words().probes_accepted, String(accepted), accepted ? "bad" : ""],
  ];
  const seen = JSON.stringify(figures);
  const place = document.getElementById("figures");
  if (place.dataset.seen === seen) return;
  place.dataset.seen = seen;
  place.replaceChildren(...figures.map(([name, value, kind]) => make("div", { class: kind }, make("dt", {}, name), make("dd", {}, value))));
}

function show() {
  if (!last) return;
  showFigures(last.state);
  showOrders(last.state);
  showJournal(last.journal);
}

async function look() {
  if (document.hidden) return;
  try {
    const [state, journal] = await Promise.all([get(orders_path), get("/journal"), findPeople()]);
    last = { state, journal };
    offline.hidden = true;
    show();
  } catch {
    offline.hidden = false;
  }
}

async function keepLooking() {
  await look();
  setTimeout(keepLooking, EVERY_MS);
}

language.addEventListener("click", () => {
  switchLanguage();
  say(language, isChinese() ? "EN" : "中文");
  drawPhone();
  show();
});

speak();
say(language, isChinese() ? "EN" : "中文");
drawPhone();
keepLooking();
