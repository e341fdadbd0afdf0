// The keys of the inbox. None of them works in fields, dialogs and while text is composed, on repeat, or with modifiers;
// nothing is decided by a key that was pressed before its content could be seen.
import { isSettled, mayPress } from "./arming.js";
import { toggle } from "./batch.js";

const SECOND_KEY_MS = 1_500;
const FIELD = "input, textarea, select, [contenteditable]";
// Nothing is typed into these.
const NO_FIELD = ".reason-chip input, .row-pick input";
const PLACES = { i: "Inbox", r: "Runs", a: "Agents", p: "Policies", d: "Audit" };
const REMEMBERED = "inbox-row";

let list = null;
let leave = () => {};
let arrivals = null;
let goingUntil = 0;

function rows() {
  return [...list.querySelectorAll(":scope > .row")];
}

// The row that keys start from: the focused one, the open one, or the one that was left last.
function cursor() {
  const focused = document.activeElement?.closest(".row");
  const open = list.querySelector(".row-link[aria-current]")?.closest(".row");
  return focused ?? open ?? document.getElementById(sessionStorage.getItem(REMEMBERED) ?? "");
}

function step(direction) {
  const all = rows();
  const from = all.indexOf(cursor());
  const ahead = direction > 0 ? all.slice(from + 1) : all.slice(0, Math.max(from, 0)).reverse();
  return ahead.find((row) => !row.classList.contains("closed")) ?? null;
}

function go(row) {
  if (!row) return;
  sessionStorage.setItem(REMEMBERED, row.id);
  const link = row.querySelector(".row-link");
  link.focus();
  link.scrollIntoView({ block: "nearest" });
  leave(row);
}

function open(row) {
  go(row);
  row?.querySelector(".row-link").click();
}

function press(selector) {
  document.querySelector(`#request ${selector}`)?.click();
}

// Never what is critical or has to be typed, and nothing that has only just appeared.
function approve() {
  const request = document.getElementById("request");
  const button = request?.querySelector("#decide-form button[name=verdict][value=approve]");
  if (!button || request.dataset.risk === "critical" || request.querySelector("[data-expected]")) return;
  if (isSettled() && mayPress(button)) button.click();
}

function back() {
  const cancel = document.querySelector("#request [data-cancel]");
  if (cancel) cancel.click();
  else document.querySelector("#request .request-back")?.click();
}

// The chips of the form that is open: 1 to 9 in their order, 0 for the last one, which is one's own words.
function pick(number) {
  const chips = document.querySelectorAll("#request .dock-form .reason-chip input");
  const chip = number === 0 ? chips[chips.length - 1] : chips[number - 1];
  if (!chip || (number > 0 && chip === chips[chips.length - 1])) return;
  chip.click();
  chip.focus();
}

function help() {
  document.getElementById("key-help").showModal();
}

const KEYS = {
  j: () => go(step(1)),
  k: () => go(step(-1)),
  o: () => open(cursor()),
  "]": () => open(step(1)),
  "[": () => open(step(-1)),
  Escape: back,
  ".": () => arrivals.hidden || arrivals.click(),
  x: () => toggle(cursor()),
  a: approve,
  e: () => press("[data-mode=edit]"),
  r: () => press("[data-mode=reject]"),
  "/": () => press("[data-mode=send_back]"),
  c: () => press("[data-claim] button"),
  s: () => press("[data-snooze] button"),
  u: () => press("[data-undo]:not([hidden]) button"),
  g: () => {
    goingUntil = performance.now() + SECOND_KEY_MS;
  },
  "?": help,
  ...Object.fromEntries([..."0123456789"].map((digit) => [digit, () => pick(Number(digit))])),
};

function isMeantForUs(event) {
  if (event.defaultPrevented || event.repeat || event.isComposing || event.keyCode === 229) return false;
  if (event.ctrlKey || event.metaKey || event.altKey || event.getModifierState("AltGraph")) return false;
  // Punctuation sits behind Shift on many keyboards, and digits on some; letters with Shift are other keys.
  if (event.shiftKey && !"/?.[]0123456789".includes(event.key)) return false;
  const field = event.target.closest?.(FIELD);
  if (field && !field.matches(NO_FIELD)) return false;
  return !document.querySelector("dialog[open], details.menu[open]");
}

function actionOf(event) {
  const going = performance.now() < goingUntil;
  goingUntil = 0;
  if (going) {
    const place = Object.hasOwn(PLACES, event.key) && document.querySelector(`.nav-item[title="${PLACES[event.key]}"]`);
    return place ? () => place.click() : null;
  }
  // Enter on a link or a button is theirs.
  if (event.key === "Enter") return document.activeElement === document.body ? KEYS.o : null;
  return Object.hasOwn(KEYS, event.key) ? KEYS[event.key] : null;
}

function pressed(event) {
  if (!isMeantForUs(event)) return;
  const act = actionOf(event);
  if (!act) return;
  event.preventDefault();
  act();
}

export function startKeys(inbox) {
  ({ list, leave, arrivals } = inbox);
  // Before the menus hear of it: Escape closes the menu, or goes back, but not both.
  document.addEventListener("keydown", pressed, true);
}
