// What the phone remembers while the tab lives: whose it is, which program is open, where in it one is, and each program's token.

const KEY = "canbao-phone";
const EMPTY = { owner: 0, program: null, stack: [], tokens: {}, accounts: {}, persons: {}, paid: {} };

function read() {
  try {
    return { ...EMPTY, ...JSON.parse(sessionStorage.getItem(KEY) ?? "{}") };
  } catch {
    return { ...EMPTY };
  }
}

const kept = read();

export function keep(changes) {
  Object.assign(kept, changes);
  sessionStorage.setItem(KEY, JSON.stringify(kept));
}

const here = () => `${kept.owner}/${kept.program}`;

export const session = {
  get owner() {
    return kept.owner;
  },
  get program() {
    return kept.program;
  },
  get stack() {
    return kept.stack;
  },
  get token() {
    return kept.tokens[here()] ?? null;
  },
  // As the API last told it: name and numbers are masked there already.
  get account() {
    return kept.accounts[here()] ?? null;
  },
  // The insured person paid for (切换缴费人); null is oneself.
  get person() {
    return kept.persons[here()] ?? null;
  },
  set person(person) {
    keep({ persons: { ...kept.persons, [here()]: person } });
  },
  set token(token) {
    keep({ tokens: { ...kept.tokens, [here()]: token } });
  },
  // What was paid on this phone: the world tells the tax authority, which a mini-program never would.
  get paid() {
    return Object.values(kept.paid);
  },
  hasPaid(order, authority) {
    if (!kept.paid[order.order_no]) keep({ paid: { ...kept.paid, [order.order_no]: { ...order, launch: null, authority } } });
  },
  changed(account) {
    keep({ accounts: { ...kept.accounts, [here()]: account } });
  },
  signedOut() {
    keep({ tokens: { ...kept.tokens, [here()]: null }, accounts: { ...kept.accounts, [here()]: null }, persons: { ...kept.persons, [here()]: null } });
  },
  forgetAll() {
    keep({ ...EMPTY, tokens: {}, accounts: {}, persons: {}, paid: {} });
  },
};
