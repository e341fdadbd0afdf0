// Desktop notifications: off until the reader asks for them with the button in Settings, kept by name in this browser.
// One for everything that came while no list was looked at, with a number and no titles: a lock screen has other readers.
import { gettext, ngettext } from "./words.js";

const TAG = "countersign-inbox";
const BLOCKED = gettext("Blocked. Allow notifications for this address in the browser's settings, then come back here.");

let shown = null;
let told = 0;
let isLeft = false;

function keyOf() {
  return `notifications ${document.querySelector(".account .menu-note strong")?.textContent ?? ""}`;
}

function isOn() {
  return "Notification" in window && Notification.permission === "granted" && localStorage.getItem(keyOf()) === "on";
}

// Whether one stands on the reader's screen.
export function isAnnounced() {
  return shown !== null;
}

// Nothing keeps it true any more: its reader is signed out.
export function withdraw() {
  announceNew(0);
}

// The page goes away, and what it hears on its way out announces nothing any more.
export function pageLeft() {
  withdraw();
  isLeft = true;
}
addEventListener("pageshow", () => {
  isLeft = false;
});

// `number` new requests wait for the reader and were not seen; fewer than before make no noise, none clears it.
export function announceNew(number) {
  if (isLeft || number === told) return;
  const isMore = number > told;
  told = number;
  if (number === 0 || !isOn()) {
    shown?.close();
    shown = null;
    return;
  }
  const title = ngettext("One new request waits for you", "{number} new requests wait for you", number);
  shown = new Notification(title, { tag: TAG, silent: !isMore });
  shown.addEventListener("click", () => {
    window.focus();
    shown?.close();
  });
}

function draw(button, state) {
  const isBlocked = "Notification" in window && Notification.permission === "denied";
  // Where it is blocked, the browser asks nobody: only its own settings help.
  button.hidden = isBlocked || !("Notification" in window);
  button.textContent = isOn() ? gettext("Turn off") : gettext("Turn on");
  if (!("Notification" in window)) state.textContent = gettext("This browser shows none, or only over HTTPS.");
  else if (isOn()) state.textContent = gettext("On in this browser.");
  else state.textContent = isBlocked ? BLOCKED : gettext("Off in this browser.");
}

// The button of the settings page.
export function startNotifications() {
  const button = document.getElementById("notifications-button");
  if (!button) return;
  const state = document.getElementById("notifications-state");
  button.addEventListener("click", async () => {
    if (isOn()) localStorage.removeItem(keyOf());
    else if ((await Notification.requestPermission()) === "granted") localStorage.setItem(keyOf(), "on");
    draw(button, state);
  });
  draw(button, state);
  // Allowed in the browser's settings, it can be turned on at once.
  navigator.permissions?.query({ name: "notifications" }).then((permission) => {
    permission.addEventListener("change", () => draw(button, state));
  });
}
