// Whether a verdict may be sent now. A button that may not is aria-disabled: it stays where the reader left it, and
// says why. The server decides again; this only spares the reader a refusal or a slip.
import { connection } from "./live.js";
import { isAwaited } from "./waiting.js";
import { gettext } from "./words.js";

const SETTLE_MS = 400;
const UNREACHABLE = new Set(["offline", "signed-out"]);
const APPROVING = new Set(["approve", "edit"]);

let renderedAt = performance.now();
let changed = false;
let sending = false;

// Called whenever the page was brought up to date; `isOther` when something else stands there to be decided on.
export function rendered(isOther) {
  if (isOther) renderedAt = performance.now();
  changed = false;
  sending = false;
  arm();
}

// What stands there is no longer what would be decided on.
export function disarm() {
  changed = true;
  arm();
}

export function isSettled() {
  return performance.now() - renderedAt >= SETTLE_MS;
}

function obstacle() {
  if (UNREACHABLE.has(connection())) return gettext("You are offline. Nothing can be decided until the connection is back.");
  if (changed) return gettext("This changed since you opened it. Compare, then decide.");
  return "";
}

function plain(text) {
  return text.trim().split(/\s+/).join(" ");
}

function isTyped(form) {
  const field = form.querySelector("[data-expected]");
  return !field || plain(field.value) === plain(field.dataset.expected);
}

export function mayPress(button) {
  const blocked = Boolean(obstacle()) || sending || isAwaited(document.getElementById("detail"));
  return !blocked && (!APPROVING.has(button.value) || isTyped(button.form));
}

function arm() {
  const form = document.getElementById("decide-form");
  if (!form) return;
  for (const button of form.querySelectorAll("button[name=verdict]")) {
    if (mayPress(button)) button.removeAttribute("aria-disabled");
    else button.setAttribute("aria-disabled", "true");
  }
  say(form, obstacle());
}

function say(form, text) {
  const note = document.getElementById("dock-why");
  if (!text) {
    note?.remove();
  } else if (note?.textContent !== text) {
    const fresh = document.createElement("p");
    fresh.id = "dock-why";
    fresh.className = "dock-note";
    fresh.setAttribute("role", "status");
    fresh.textContent = text;
    note?.remove();
    form.prepend(fresh);
  }
}

// Before htmx hears of it, and also where Enter in a field stands for the first button.
function guard(event) {
  if (!event.target.matches("[data-decide]")) return;
  const button = event.submitter;
  if (button && mayPress(button)) return;
  event.preventDefault();
  event.stopImmediatePropagation();
  event.target.querySelector("[data-expected]")?.focus();
}

export function startArming() {
  document.addEventListener("submit", guard, true);
  document.addEventListener("connection", arm);
  document.addEventListener("input", (event) => {
    if (event.target.matches("[data-expected]")) arm();
  });
  document.addEventListener("htmx:before:request", (event) => {
    if (!event.detail.ctx.sourceElement.matches("[data-decide]")) return;
    sending = true;
    arm();
  });
  document.addEventListener("htmx:finally:request", () => {
    sending = false;
    arm();
  });
  arm();
}
