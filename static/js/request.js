// The open request: it follows what happens to it, is never replaced under a draft, and keeps its clocks.
import { reach, speak } from "./live.js";
import { turnOf } from "./looks.js";
import { morph, parse } from "./morph.js";
import { disarm, rendered, startArming } from "./arming.js";
import { preview } from "./diffs.js";
import { startClocks } from "./clocks.js";
import { startPresence } from "./presence.js";
import { startSwaps } from "./swaps.js";
import * as drafts from "./drafts.js";
import { gettext } from "./words.js";

// What others do around a request without changing what is decided on.
const BESIDE = new Set(["claimed", "released", "extended", "commented", "escalated"]);

const detail = document.getElementById("detail");
let last = {};
let newest = 0;
let asking = 0;
let underWay = 0;
let missed = null;
let waiting = 0;

export function current() {
  return document.getElementById("request");
}

function fragmentUrl(request) {
  const query = new URLSearchParams(document.getElementById("inbox").dataset.query);
  if (request.dataset.mode) query.set("mode", request.dataset.mode);
  return `${request.dataset.url}?${query}`;
}

function isBeingEdited(request) {
  const field = document.activeElement?.closest("input:not([type=hidden]), textarea, select");
  return drafts.isOpen(request) || Boolean(field && request.contains(field));
}

function warnOfChange(kind) {
  const banner = document.getElementById("changed-banner");
  if (banner.hidden) speak(gettext("This request changed since you opened it. What you typed is kept."));
  banner.hidden = false;
  if (!BESIDE.has(kind)) disarm();
}

// The request `id` has reached `version`; `kind` is what happened, where that is known.
export function noticed({ id, version, kind = "", within = 0 }) {
  const request = current();
  if (!request || request.dataset.id !== id) return;
  // A claim that changed hands is not taken back by renewing it, also where the list knew first that something changed.
  if ((kind === "claimed" || kind === "released") && version > Number(request.dataset.version)) request.querySelector("[data-claimed]")?.removeAttribute("data-claimed");
  if (version <= newest) return;
  if (underWay) {
    missed = { id, version, kind, within };
    return;
  }
  newest = version;
  if (isBeingEdited(request)) warnOfChange(kind);
  else follow(within);
}

// In its turn, where many have it before them.
function follow(within) {
  waiting ||= setTimeout(async () => {
    waiting = 0;
    if (!(await lookAgain())) newest = Number(current()?.dataset.version ?? 0);
  }, turnOf(within));
}

// What a reader was refused, with what they had written, stands there until they go on, or until it is not so any more.
function keepRefusal(request, fresh) {
  const refusal = request.querySelector("#conflict");
  if (refusal && fresh.dataset.state === request.dataset.state) fresh.querySelector("#changed-banner").nextSibling.after(refusal.cloneNode(true));
}

// Fetches the open request as it is now; false where it could not. A page that nobody looks at is left alone: what was
// fetched counts as shown.
export async function lookAgain({ evenUnderDraft = false } = {}) {
  const request = current();
  if (!request || document.hidden) return false;
  const turn = ++asking;
  const response = await reach(fragmentUrl(request));
  const text = response?.ok && !response.redirected ? await response.text() : "";
  if (turn !== asking || current() !== request || underWay) return false;
  if (response?.status === 404 || response?.redirected) location.reload();
  const fresh = text ? parse(text) : null;
  if (fresh?.dataset.id !== request.dataset.id) return false;
  if (!evenUnderDraft && isBeingEdited(request)) {
    if (Number(fresh.dataset.version) > Number(request.dataset.version)) warnOfChange("");
    return true;
  }
  keepRefusal(request, fresh);
  morph(request, fresh);
  window.htmx.process(request);
  shown();
  return true;
}

function tell(request) {
  const title = document.getElementById("request-title").textContent;
  const decision = request.querySelector("#standing dd")?.textContent.trim();
  speak(request.dataset.state === "pending" ? gettext("{title}: waits for a decision again", { title }) : `${title}: ${decision ?? gettext("closed")}`);
}

// Called whenever what stands in the detail may be another request, revision, state or form.
function shown() {
  const request = current();
  const now = { ...request?.dataset };
  const isOther = ["id", "revision", "state", "mode"].some((name) => now[name] !== last[name]);
  if (request && now.id === last.id) {
    if (now.state !== last.state) tell(request);
    else if (now.revision !== last.revision) speak(gettext("This request changed. Read it again before you decide."));
  }
  last = now;
  newest = Number(now.version ?? 0);
  if (!request) return;
  drafts.restore(request);
  for (const field of request.querySelectorAll("[data-before]")) preview(field);
  rendered(isOther);
  document.dispatchEvent(new CustomEvent("request:shown", { detail: now }));
}

function edited(event) {
  const field = event.target;
  const request = current();
  if (!request?.contains(field)) return;
  if (field.dataset.draft !== undefined) drafts.keep(request, field);
  preview(field);
}

function compare(event) {
  if (!event.target.closest("[data-compare]")) return;
  event.preventDefault();
  lookAgain({ evenUnderDraft: true });
}

// Once it is decided, what its run does is shown here too.
function heard({ detail: hint }) {
  const request = current();
  if (hint.topic === "request") noticed(hint);
  else if (hint.topic === "switch") caughtUp({ detail: hint });
  else if (request && request.dataset.state !== "pending" && request.querySelector(`a[href*="${CSS.escape(hint.id)}"]`)) lookAgain();
}

// Hints may have been missed; under a draft the list says whether anything happened.
function caughtUp({ detail: { within } }) {
  const request = current();
  if (request && !underWay && !isBeingEdited(request)) follow(within);
}

function swapBegins() {
  underWay += 1;
}

function swapEnded() {
  underWay = Math.max(0, underWay - 1);
  if (!missed || underWay) return;
  const hint = missed;
  missed = null;
  noticed(hint);
}

export function startRequest() {
  document.addEventListener("input", edited);
  document.addEventListener("change", edited);
  document.addEventListener("click", compare);
  document.addEventListener("hint", heard);
  document.addEventListener("resync", caughtUp);
  startArming();
  startClocks({ current, lookAgain });
  startSwaps({ detail, current, swapBegins, swapEnded });
  startPresence();
  new MutationObserver(shown).observe(detail, { childList: true });
  shown();
}
