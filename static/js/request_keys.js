// What keys do to the open request: they press what stands there, but for what is critical or has to be typed, and for
// what has only just appeared.
import { isSettled, mayPress } from "./arming.js";

function press(selector) {
  document.querySelector(`#request ${selector}`)?.click();
}

function approve() {
  const request = document.getElementById("request");
  const button = request?.querySelector("#decide-form button[name=verdict][value=approve]");
  if (!button || request.dataset.risk === "critical" || request.querySelector("[data-expected]")) return;
  if (isSettled() && mayPress(button)) button.click();
}

function back() {
  const cancel = document.querySelector("#request [data-cancel]");
  if (cancel) cancel.click();
  else press(".request-back");
}

// The chips of the form that is open: 1 to 9 in their order, 0 for the last one, which is one's own words.
export function pick(number) {
  const chips = document.querySelectorAll("#request .dock-form .reason-chip input");
  const chip = number === 0 ? chips[chips.length - 1] : chips[number - 1];
  if (!chip || (number > 0 && chip === chips[chips.length - 1])) return;
  chip.click();
  chip.focus();
}

export const requestKeys = {
  approve,
  back,
  edit: () => press("[data-mode=edit]"),
  send_back: () => press("[data-mode=send_back]"),
  reject: () => press("[data-mode=reject]"),
  claim: () => press("[data-claim] button"),
  snooze: () => press("[data-snooze] button"),
  undo: () => press("[data-undo]:not([hidden]) button"),
  digit: pick,
};
