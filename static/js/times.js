// Keeps "4 min ago" and "3:12" true while a page stays open. The text is not live: a screen reader is not interrupted.
import { gettext } from "./words.js";

const MINUTE = 60;
const HOUR = 3600;
const DAY = 86400;

function ago(seconds) {
  if (seconds < MINUTE) return gettext("just now");
  if (seconds < HOUR) return gettext("{number} min ago", { number: Math.floor(seconds / MINUTE) });
  return gettext("{number} h ago", { number: Math.floor(seconds / HOUR) });
}

export function left(seconds) {
  if (seconds < 0) return gettext("overdue");
  if (seconds < HOUR) return `${Math.floor(seconds / MINUTE)}:${String(Math.floor(seconds % MINUTE)).padStart(2, "0")}`;
  if (seconds < 2 * DAY) return gettext("{number} h", { number: Math.floor(seconds / HOUR) });
  return gettext("{number} d", { number: Math.floor(seconds / DAY) });
}

function urgency(seconds) {
  if (seconds < 0) return "late";
  return seconds < HOUR ? "soon" : "calm";
}

function write(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

function refreshTimes(now = Date.now()) {
  for (const element of document.querySelectorAll("time[data-relative]")) {
    const seconds = (now - Date.parse(element.dateTime)) / 1000;
    if (seconds < DAY) write(element, ago(seconds));
  }
  for (const element of document.querySelectorAll("time[data-countdown]")) {
    const seconds = Math.trunc((Date.parse(element.dateTime) - now) / 1000);
    // Working hours are the server's to count; the last hour is a countdown all the same.
    if (!("working" in element.dataset) || seconds < HOUR) write(element, left(seconds));
    element.dataset.urgency = urgency(seconds);
  }
}

export function startTimes() {
  setInterval(refreshTimes, 1000);
}
