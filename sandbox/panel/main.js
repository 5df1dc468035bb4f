// Starts the page: puts the phone on it, and looks at the sandbox every second while somebody is looking at the page.

import { make, say, yuan } from "/phone/dom.js";
import { Phone } from "/phone/phone.js";
import { isChinese, switchLanguage, whenLanguageChanges } from "/phone/words.js";
import { get } from "./api.js";
import { drawAuthorities } from "./authorities.js";
import { showJournal } from "./journal.js";
import { orders_path, showOrders } from "./orders.js";
import { showPost } from "./post.js";
import { drawWishes } from "./wishes.js";
import { speak, words } from "./words.js";

const EVERY_MS = 1000;
const offline = document.getElementById("offline");
const language = document.getElementById("language");
const door = document.getElementById("world-door");
const phone = new Phone(document.getElementById("phone"));
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
  showPost(last.post);
  const desk = document.getElementById("console");
  desk.hidden = !last.state.canbao_url;
  desk.href = `${last.state.canbao_url}/console`;
}

async function look() {
  if (document.hidden) return;
  try {
    const [state, journal, post, people] = await Promise.all([get(orders_path), get("/journal"), get("/messages"), get("/demo-people")]);
    last = { state, journal, post };
    offline.hidden = true;
    phone.meet(people.demo_people);
    show();
  } catch (fault) {
    // Not reached, or not understood: said on the page, and told to whoever reads the browser's log.
    if (!(fault instanceof TypeError)) console.warn(fault);
    offline.hidden = false;
  }
}

async function keepLooking() {
  await look();
  setTimeout(keepLooking, EVERY_MS);
}

function talk() {
  speak();
  say(language, isChinese() ? "English" : "中文");
  language.lang = isChinese() ? "en" : "zh-CN";
  drawWishes();
  drawAuthorities(phone);
  show();
}

function openWorld(wanted) {
  document.body.classList.toggle("in-world", wanted);
  door.setAttribute("aria-expanded", String(wanted));
}

door.addEventListener("click", () => openWorld(!document.body.classList.contains("in-world")));
document.addEventListener("keydown", (event) => event.key === "Escape" && openWorld(false));
language.addEventListener("click", switchLanguage);
whenLanguageChanges(talk);
talk();
keepLooking();
