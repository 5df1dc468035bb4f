// The phone's frame: status line, the program's bar, the screen, its foot and tabs, and a sheet that the platform lays over it.

import { icon, make, say } from "./dom.js";
import { words } from "./words/phone.js";

const TABS = { home: "home", messages: "bell", mine: "person" };

export class Shell {
  constructor(root, { onBack, onClose, onTab }) {
    this.clock = make("span", { class: "clock" });
    this.status = make("div", { class: "status", "aria-hidden": "true" }, this.clock, make("span", { class: "signs" }, icon("signal"), icon("battery")));
    this.back = make("button", { type: "button", class: "bar-button", onclick: onBack }, icon("back"));
    this.title = make("h2", { class: "bar-title" });
    this.capsule = make("button", { type: "button", class: "bar-button capsule", onclick: onClose }, icon("circle"));
    this.bar = make("header", { class: "bar" }, this.back, this.title, this.capsule);
    this.notice = make("div", { class: "slot" });
    this.body = make("div", { class: "body" });
    // In the order of the keyboard, since a long text has nothing else in it to stand on while it is scrolled.
    this.screen = make("div", { class: "screen", role: "region", tabIndex: 0 }, this.notice, this.body);
    this.foot = make("footer", { class: "foot" });
    this.tabs = make("nav", { class: "tabs" });
    this.cover = make("div", { class: "cover", hidden: true });
    this.inside = make("div", { class: "inside" }, this.bar, this.screen, this.foot, this.tabs);
    this.onTab = onTab;
    this.root = root;
    root.replaceChildren(this.status, this.inside, this.cover);
    this.tick();
    setInterval(() => this.tick(), 10_000);
  }

  tick() {
    say(this.clock, new Intl.DateTimeFormat("zh-CN", { timeZone: "Asia/Shanghai", hour: "2-digit", minute: "2-digit", hour12: false }).format(new Date()));
  }

  dress({ skin, elder }) {
    this.root.dataset.skin = skin;
    this.root.dataset.elder = String(elder);
  }

  // The frame around a screen; `tab` names the lit tab, or nothing where there are none.
  frame({ title, canGoBack, bare, tab, closable }) {
    this.bar.hidden = Boolean(bare);
    say(this.title, title);
    this.screen.setAttribute("aria-label", title);
    this.back.hidden = !canGoBack;
    this.back.setAttribute("aria-label", words().back);
    this.capsule.hidden = !closable;
    this.capsule.setAttribute("aria-label", words().close_program);
    this.tabs.hidden = !tab;
    this.tabs.setAttribute("aria-label", title);
    this.tabs.replaceChildren(
      ...(tab ? Object.entries(TABS) : []).map(([name, sign]) =>
        make(
          "button",
          { type: "button", class: "tab", "aria-current": name === tab ? "page" : null, onclick: () => this.onTab(name) },
          icon(sign),
          make("span", {}, words().tab[name]),
        ),
      ),
    );
  }

  // What a screen's render gave: a node, a list of nodes, or {body, foot}.
  fill(told) {
    const given = told instanceof Node || Array.isArray(told) ? { body: told } : told;
    const hadFocus = this.inside.contains(document.activeElement);
    this.body.replaceChildren(...[given.body].flat(2).filter(Boolean));
    this.foot.replaceChildren(...[given.foot].flat(2).filter(Boolean));
    this.foot.hidden = !this.foot.childElementCount;
    // What had the focus is gone: whoever uses the keyboard, or listens, goes on from the new screen.
    if (hadFocus && !this.inside.contains(document.activeElement)) this.screen.focus({ preventScroll: true });
  }

  remark(node) {
    this.notice.replaceChildren(...[node].filter(Boolean));
    if (node) this.screen.scrollTop = 0;
  }

  toTop() {
    this.screen.scrollTop = 0;
  }

  // The platform's own face over the program (cashier, camera): what is below rests until it is closed.
  lay(node) {
    this.cover.replaceChildren(node);
    this.cover.hidden = false;
    this.inside.inert = true;
    node.querySelector("[data-focus]")?.focus({ preventScroll: true });
  }

  lift() {
    this.cover.hidden = true;
    this.cover.replaceChildren();
    this.inside.inert = false;
  }
}
