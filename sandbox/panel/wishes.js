// What shall go wrong with the next payment on the phone: ticked before paying, cleared when it was paid.

import { make } from "/phone/dom.js";
import { choose, chosenFaults, whenWishesChange } from "/phone/wishes.js";
import { faultWords } from "./words.js";

const OFTEN = ["late", "lost", "duplicate", "parallel", "wrong_amount", "forged", "stale", "refund_before_success"];
const place = document.getElementById("wishes");

export function drawWishes() {
  const chosen = new Set(chosenFaults());
  place.replaceChildren(
    ...OFTEN.map((fault) => {
      const box = make("input", { type: "checkbox", value: fault, checked: chosen.has(fault), onchange: () => choose(fault, box.checked) });
      return make("label", { class: "wish" }, box, make("span", {}, faultWords()[fault]));
    }),
  );
}

whenWishesChange(drawWishes);
