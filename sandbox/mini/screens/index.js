// Every screen of the phone, by name. A new one is a file beside this, and one line here.

import * as agreement_new from "./agreement_new.js";
import * as agreements from "./agreements.js";
import * as apply from "./apply.js";
import * as apply_step from "./apply_step.js";
import * as authorise from "./authorise.js";
import * as bank_card from "./bank_card.js";
import * as bills from "./bills.js";
import * as browse from "./browse.js";
import * as case_progress from "./case_progress.js";
import * as cases from "./cases.js";
import * as check from "./check.js";
import * as consent from "./consent.js";
import * as consents from "./consents.js";
import * as counter_code from "./counter_code.js";
import * as data_requests from "./data_requests.js";
import * as desktop from "./desktop.js";
import * as enrollments from "./enrollments.js";
import * as explain from "./explain.js";
import * as face from "./face.js";
import * as home from "./home.js";
import * as joint from "./joint.js";
import * as messages from "./messages.js";
import * as mine from "./mine.js";
import * as order from "./order.js";
import * as orders from "./orders.js";
import * as outlook from "./outlook.js";
import * as own_data from "./own_data.js";
import * as papers from "./papers.js";
import * as payers from "./payers.js";
import * as people from "./people.js";
import * as person_new from "./person_new.js";
import * as prove from "./prove.js";
import * as real_name from "./real_name.js";
import * as registration_forms from "./registration_forms.js";
import * as sms from "./sms.js";
import * as submenu from "./submenu.js";
import * as ways from "./ways.js";

export const SCREENS = {
  agreement_new,
  agreements,
  apply,
  apply_step,
  authorise,
  bank_card,
  bills,
  browse,
  case_progress,
  cases,
  check,
  consent,
  consents,
  counter_code,
  data_requests,
  desktop,
  enrollments,
  explain,
  face,
  home,
  joint,
  messages,
  mine,
  order,
  orders,
  outlook,
  own_data,
  papers,
  payers,
  people,
  person_new,
  prove,
  real_name,
  registration_forms,
  sms,
  submenu,
  ways,
};

// The screen that a menu entry leads to: by its code first, then by its function, then by its capability.
export function screenFor(entry) {
  for (const word of [entry.code, entry.function, entry.capability]) {
    const found = Object.entries(SCREENS).find(([, screen]) => word && screen.opens?.includes(word));
    if (found) return { name: found[0], screen: found[1] };
  }
  return null;
}
