// 添加他人身份信息: name and ID number must belong together; a miss is always the same answer.

import { make } from "../dom.js";
import { filler, input, tick } from "../forms.js";
import { words } from "../words/pay.js";
import { words as identity } from "../words/identity.js";
import { words as common } from "../words/phone.js";

export const opens = ["ADD_PERSON", "ADD_INSURED_PERSON", "PAY_FOR_OTHERS"];
export const toParams = (entry) => ({ title: entry.title, consent: entry.consent, then: entry.code === "PAY_FOR_OTHERS" ? "bills" : "people" });
export const title = (phone, { title: given }) => given ?? words().add_person;

export async function render(phone, { then, consent, title: given }) {
  if (consent) {
    phone.replace("consent", { purpose: consent, then: "person_new", then_params: { then, title: given } });
    return [];
  }
  const name = input({ label: identity().name, name: "name" });
  const number = input({ label: identity().id_number, name: "id_number", maxLength: 18 });
  const relation = input({ label: words().relation, name: "relation", maxLength: 16 });
  let keepIt = false;
  const confirm = phone.button(
    identity().confirm,
    async () => {
      const wishes = relation.value ? { relation: relation.value } : {};
      const person = await phone.api.addInsuredPerson({ name: name.value, id_number: number.value, keep: keepIt, ...wishes });
      phone.session.person = person.is_self ? null : person;
      if (then === "bills") await phone.replace("bills", { who: "other", person: person.id });
      else await phone.replace("people", {});
    },
    "wide",
  );
  const others = phone.owner?.others ?? [];
  return {
    body: [
      ...others.map((other) =>
        filler(
          phone,
          [
            [name, other.name],
            [number, other.id_number],
            [relation, other.relation],
          ],
          common().fill_other(other.relation ?? other.name),
        ),
      ),
      make("section", { class: "card form" }, name.node, number.node, relation.node, tick(words().keep_person, (now) => (keepIt = now))),
      make("p", { class: "hint" }, words().person_hint),
    ],
    foot: confirm,
  };
}
