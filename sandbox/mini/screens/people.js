// 切换缴费人: me and those I may pay for; choose one, add one, remove one.

import { icon, make } from "../dom.js";
import { words } from "../words/pay.js";
import { words as common } from "../words/phone.js";

export const opens = ["SWITCH_PERSON", "INSURED_PERSONS"];
export const toParams = (entry) => ({ title: entry.title, consent: entry.consent });
export const title = (phone, { title: given }) => given ?? common().mine.people;

export async function render(phone, { then, title: given, consent }) {
  if (consent) {
    phone.replace("consent", { purpose: consent, then: "people", then_params: { then, title: given } });
    return [];
  }
  const { insured_persons: people } = await phone.api.listInsuredPersons();
  const current = phone.session.person?.id ?? people.find((each) => each.is_self)?.id;
  const choose = (person) => {
    phone.session.person = person.is_self ? null : person;
    if (then === "bills") phone.replace("bills", { who: person.is_self ? "self" : "other", person: person.id });
    else phone.reset("home");
  };
  return {
    body: [
      make("p", { class: "hint" }, words().people_hint),
      make(
        "ul",
        { class: "list" },
        ...people.map((person) =>
          make(
            "li",
            { class: "list-line" },
            make(
              "button",
              { type: "button", class: "list-row", "aria-pressed": String(person.id === current), onclick: () => choose(person) },
              make("span", { class: "what" }, make("strong", { lang: "zh-CN" }, person.name), make("span", { class: "number" }, person.id_number), make("small", { lang: "zh-CN" }, person.is_self ? common().home.myself : (person.relation ?? ""), person.keep || person.is_self ? "" : ` · ${words().once}`)),
              person.id === current ? icon("check") : null,
            ),
            person.is_self
              ? null
              : phone.button(
                  words().remove,
                  async () => {
                    await phone.api.removeInsuredPerson({ insured_person_id: person.id });
                    if (phone.session.person?.id === person.id) phone.session.person = null;
                    await phone.redraw();
                  },
                  "quiet small",
                ),
          ),
        ),
      ),
    ],
    foot: phone.button(words().add_person, () => phone.go("person_new", { then }), "wide"),
  };
}
