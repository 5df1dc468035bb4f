// What shall go wrong with the next payment: chosen in the world, used by the cashier, forgotten then.

const VALUES = {
  late: () => 20,
  duplicate: () => 1,
  parallel: () => 3,
  wrong_amount: (fen) => Math.max(fen - 1, 1),
  refund_before_success: (fen) => Math.ceil(fen / 2),
};
const chosen = new Set();
const listeners = new Set();

export const wish = (fault, amountFen) => ({ fault, value: VALUES[fault]?.(amountFen) ?? null });
export const chosenFaults = () => [...chosen];
export const whenWishesChange = (listener) => listeners.add(listener);

function tell() {
  for (const listener of listeners) listener(chosenFaults());
}

export function choose(fault, wanted) {
  if (wanted) chosen.add(fault);
  else chosen.delete(fault);
  tell();
}

export function forgetWishes() {
  chosen.clear();
  tell();
}
