// The clocks of the open request: the time left to take an approval back, the deadline, the seconds it was looked at,
// and the claim, which is renewed as long as somebody sits in front of it.
import { reach } from "./live.js";
import { gettext } from "./words.js";

const TICK_MS = 250;
const RENEW_MS = 30_000;
const RENEW_UNSEEN_MS = 10 * 60_000;
const WARN_SECONDS = [60, 20];

const activeMs = new Map();
let undoFor = "";
let undoEnds = 0;
let warned = "";
let claimed = "";
let renewedAt = 0;
let seenAt = 0;

// By the seconds that the server says are left: the clocks of two machines differ. True when they are over.
function undoIsOver(request) {
  const form = request.querySelector("[data-undo]");
  if (!form || form.hidden) {
    undoFor = "";
    return false;
  }
  const bar = form.querySelector("progress");
  const key = `${request.dataset.id} ${form.dataset.readyAt}`;
  if (key !== undoFor) {
    undoFor = key;
    undoEnds = performance.now() + bar.value * 1000;
  }
  const left = Math.max(0, (undoEnds - performance.now()) / 1000);
  bar.value = left;
  form.querySelector("[data-undo-left]").textContent = String(Math.ceil(left));
  form.hidden = left === 0;
  return left === 0;
}

function countActive(request) {
  if (document.hidden || !document.hasFocus()) return;
  const { id } = request.dataset;
  activeMs.set(id, (activeMs.get(id) ?? 0) + TICK_MS);
  writeActive(request);
}

function writeActive(request) {
  const field = request.querySelector("[data-active-seconds]");
  if (field) field.value = String(Math.round((activeMs.get(request.dataset.id) ?? 0) / 1000));
}

function warnOfDeadline(request) {
  const time = request.querySelector(".request-deadline time[data-countdown]");
  if (!time) return;
  const left = (Date.parse(time.dateTime) - Date.now()) / 1000;
  const mark = WARN_SECONDS.filter((seconds) => left > 0 && left <= seconds).at(-1);
  const key = `${request.dataset.id} ${time.dateTime} ${mark}`;
  if (!mark || key === warned) return;
  warned = key;
  document.getElementById("live-alert").textContent = gettext("{seconds} seconds left to decide.", { seconds: mark });
}

async function renewClaim(request, lookAgain) {
  const form = request.querySelector("[data-claimed]");
  if (!form || Date.now() - renewedAt < RENEW_MS || Date.now() - seenAt > RENEW_UNSEEN_MS) return;
  renewedAt = Date.now();
  const body = new URLSearchParams(new FormData(form));
  body.set("renew", "1");
  const response = await reach(form.getAttribute("action"), { method: "POST", body });
  if (response && !response.ok) lookAgain();
}

export function startClocks({ current, lookAgain }) {
  document.addEventListener("request:shown", () => {
    const request = current();
    writeActive(request);
    const held = request.querySelector("[data-claimed]") ? request.dataset.id : "";
    if (held !== claimed) renewedAt = Date.now();
    claimed = held;
  });
  setInterval(() => {
    if (!document.hidden) seenAt = Date.now();
    const request = current();
    if (!request) return;
    countActive(request);
    warnOfDeadline(request);
    renewClaim(request, lookAgain);
    if (undoIsOver(request)) lookAgain();
  }, TICK_MS);
}
