// The phone: which program is open, which screen of it, and what a screen may ask for. A screen is one file in screens/ that exports
//
//   title(phone, params)          the words in the bar
//   async render(phone, params)   a node, a list of nodes, or {body, foot}; what it throws is shown as a refusal
//   opens = ["PAY"]               menu entries (code, function or capability) that lead to it, and toParams(entry, phone) where they need any
//   tab = "home", bare = true     where it stands among the tabs; without a bar
//
// and a line in screens/index.js.

import { browserTransport, makeCanbao } from "/client/canbao.js";
import { during, make } from "./dom.js";
import { Platform } from "./platform.js";
import { problemCard } from "./problems.js";
import { programOf, titleOf } from "./programs.js";
import { SCREENS, screenFor } from "./screens/index.js";
import { keep, session } from "./session.js";
import { Shell } from "./shell.js";
import { whenLanguageChanges } from "./words.js";
import { words } from "./words/phone.js";

const STALE = new Set(["AMOUNT_CHANGED", "BILL_NOT_PAYABLE", "BILL_RESERVED", "CONSENT_TEXT_CHANGED"]);
const DESKTOP = { name: "desktop", params: {} };

export class Phone {
  constructor(root) {
    this.session = session;
    this.owners = null; // until the sandbox has told them
    this.drawing = 0;
    this.listeners = new Set();
    this.shell = new Shell(root, {
      onBack: () => this.back(),
      onClose: () => this.close(),
      onTab: (name) => this.reset(name),
    });
    this.plug();
    whenLanguageChanges(() => this.redraw());
  }

  get program() {
    return programOf(session.program);
  }

  get owner() {
    return this.owners?.[session.owner] ?? null;
  }

  // The demo people as the sandbox tells them; other people than before mean another world, and nothing of the old one holds.
  meet(owners) {
    if (JSON.stringify(owners) === JSON.stringify(this.owners)) return;
    const isFirst = this.owners === null;
    this.owners = owners;
    if (!isFirst || (session.owner && session.owner >= owners.length)) session.forgetAll();
    this.plug();
    this.redraw();
  }

  plug() {
    const { program } = this;
    const platform = program ? new Platform(program, session.owner) : null;
    this.platform = platform;
    this.api = makeCanbao({
      url: "/canbao", // the sandbox's airwaves: a page may not call another house itself
      transport: browserTransport(fetch),
      store: { get: () => session.token, set: (token) => (session.token = token) },
      // A mini-program signs in again by itself; in the app somebody has to type a code.
      signIn: !program || program.platform === "app" ? undefined : async (same) => same.createSession({ miniprogram: program.code, code: await platform.login() }),
    });
  }

  takePhoneOf(owner) {
    keep({ owner, program: null, stack: [] });
    this.plug();
    this.redraw();
  }

  open(code) {
    keep({ program: code, stack: [] });
    this.plug();
    this.reset(session.token ? "home" : "authorise");
  }

  close() {
    keep({ program: null, stack: [] });
    this.plug();
    this.shell.lift();
    this.redraw();
  }

  get here() {
    return session.stack.at(-1) ?? DESKTOP;
  }

  move(stack) {
    keep({ stack });
    this.shell.lift();
    this.shell.remark(null);
    this.shell.toTop();
    return this.redraw();
  }

  go(name, params = {}) {
    return this.move([...session.stack, { name, params }]);
  }

  replace(name, params = {}) {
    return this.move([...session.stack.slice(0, -1), { name, params }]);
  }

  back() {
    if (session.stack.length < 2) return this.reset("home");
    return this.move(session.stack.slice(0, -1));
  }

  // Forget the way here: a tab, or the program's first screen.
  reset(name, params = {}) {
    return this.move([{ name, params }]);
  }

  // Where a menu entry leads: to its screen, to the entries below it, or to why it leads nowhere now.
  follow(entry) {
    const found = screenFor(entry);
    if (entry.available && found) return this.go(found.name, found.screen.toParams?.(entry, this) ?? {});
    if (entry.available && entry.children.length) return this.go("submenu", { code: entry.code });
    return this.go("explain", { entry });
  }

  async redraw() {
    this.drawing += 1;
    const mine = this.drawing;
    const { name, params } = this.here;
    const screen = SCREENS[name];
    this.shell.dress({ skin: this.program?.platform ?? "desktop", elder: Boolean(this.program && session.account?.elder_mode) });
    this.shell.frame({
      title: screen.title(this, params),
      canGoBack: session.stack.length > 1,
      bare: screen.bare,
      tab: screen.tab,
      closable: Boolean(this.program),
    });
    this.shell.root.dataset.screen = name;
    this.shell.root.setAttribute("aria-busy", "true");
    const late = setTimeout(() => this.drawing === mine && this.shell.fill(make("p", { class: "loading" }, words().loading)), 400);
    try {
      const told = await screen.render(this, params);
      if (this.drawing === mine) this.shell.fill(told);
    } catch (error) {
      if (this.drawing === mine) {
        this.shell.fill([]);
        this.fail(error, [this.button(words().problem.reload, () => this.move(session.stack), "quiet")]);
      }
    } finally {
      clearTimeout(late);
      if (this.drawing === mine) this.shell.root.removeAttribute("aria-busy");
    }
  }

  // What a screen changed in its own params holds over a reload too.
  remember() {
    keep({ stack: session.stack });
  }

  // Draw this screen anew when it is still the one that asked: for what goes on in the background.
  redrawIf(name) {
    if (this.here.name === name) this.redraw();
  }

  // Show a refusal above the screen, with the way on that its code names.
  fail(error, buttons = []) {
    const told = error.problem ?? {};
    const more = [...buttons];
    if (error.code === "CONSENT_REQUIRED" && told.purpose) {
      more.unshift(this.button(words().problem.read, () => this.go("consent", { purpose: told.purpose })));
    }
    if (STALE.has(error.code)) more.push(this.button(words().problem.reload, () => this.move(session.stack), "quiet"));
    if (told.order_no) more.unshift(this.button(words().problem.see_order, () => this.go("order", { order_no: told.order_no })));
    if (error.kind === "UNAUTHENTICATED" && error.code === "SIGN_IN_AGAIN") {
      session.signedOut();
      more.unshift(this.button(words().problem.sign_in, () => this.reset("authorise")));
    }
    this.shell.remark(problemCard(error, more));
    for (const listener of this.listeners) listener(error);
  }

  // A good word above the screen, read out but not in the way.
  tell(text) {
    this.shell.remark(make("p", { class: "told", role: "status" }, text));
  }

  // Do something slow on a press: the button rests meanwhile, and a refusal is shown.
  async press(button, work) {
    this.shell.remark(null);
    try {
      return await during(button, work);
    } catch (error) {
      this.fail(error);
      return undefined;
    }
  }

  button(text, work, kind = "") {
    const node = make("button", { type: "button", class: kind }, text);
    node.addEventListener("click", () => this.press(node, () => work(node)));
    return node;
  }

  titleOfProgram() {
    return this.program ? titleOf(this.program) : "";
  }
}
