// Fields of a form, and the visitor's shortcut: nobody should have to type a made-up ID number.

import { make } from "./dom.js";
import { words } from "./words/phone.js";

export function input({ label, hint, ...more }) {
  const box = make("input", { type: "text", autocomplete: "off", spellcheck: false, ...more });
  const node = make("label", { class: "field" }, label, box, hint ? make("small", {}, hint) : null);
  return {
    node,
    box,
    get value() {
      return box.value.trim();
    },
    set value(text) {
      box.value = text;
    },
  };
}

// A button of the sandbox, not of the program: fills these fields with what this person would type.
export function filler(phone, pairs, text = words().fill_in) {
  if (!phone.owner) return null;
  return make(
    "button",
    {
      type: "button",
      class: "demo",
      onclick: () => {
        for (const [field, value] of pairs) field.value = value ?? "";
      },
    },
    text,
  );
}

// A box that nobody ticks but the visitor.
export function tick(text, onchange) {
  const box = make("input", { type: "checkbox", checked: false, onchange: () => onchange(box.checked) });
  return make("label", { class: "tick" }, box, make("span", {}, text));
}
