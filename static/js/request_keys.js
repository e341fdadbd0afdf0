// What keys do to the open request: they press what stands there, but for what is critical or has to be typed, and for
// what has only just appeared.
import { isSettled, mayPress } from "./arming.js";
import { speak } from "./live.js";
import { gettext } from "./words.js";

// The keys of verdicts are of the request that is open, and nothing while another row is the one that is pointed at.
function isElsewhere() {
  const row = document.activeElement?.closest(".row");
  const open = document.getElementById("request")?.dataset.id;
  if (!row || !open || row.id === `row-${open}`) return false;
  speak(gettext("Open it first."));
  return true;
}

function choose(verdict) {
  if (!isElsewhere()) press(`[data-mode=${verdict}]`);
}

function press(selector) {
  document.querySelector(`#request ${selector}`)?.click();
}

function approve() {
  const request = document.getElementById("request");
  const button = request?.querySelector("#decide-form button[name=verdict][value=approve]");
  if (!button || request.dataset.risk === "critical" || request.querySelector("[data-expected]")) return;
  if (isSettled() && !isElsewhere() && mayPress(button)) button.click();
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
  edit: () => choose("edit"),
  send_back: () => choose("send_back"),
  reject: () => choose("reject"),
  claim: () => press("[data-claim] button"),
  snooze: () => press("[data-snooze] button"),
  undo: () => press("[data-undo]:not([hidden]) button"),
  digit: pick,
};
