// The socket carries hints {topic, id, version, kind}; pages fetch what they may see through ordinary views. Where many
// hear the same, a hint also says within how many ms they are to look at it.
// Told to pages as events on document: "hint" (something changed), "resync" (hints may have been missed),
// "connection" (live, reconnecting, offline, signed-out).
import { gettext } from "./words.js";

const BACKOFF_FIRST_MS = 500;
const BACKOFF_LAST_MS = 30_000;
const POLL_MS = 45_000;
// A host that is cut off, and a firewall that has forgotten a connection, say nothing: neither does a socket over them.
const REACH_MS = 20_000;
const SEEN_MAX = 500;
const SIGNED_OUT_CODE = 4401;
// A socket of nobody is closed as soon as it is open; one that was open for longer belonged to somebody.
const RENEWED_MS = 2_000;
const LABELS = {
  connecting: gettext("Connecting"),
  live: gettext("Live"),
  reconnecting: gettext("Reconnecting"),
  offline: gettext("Offline"),
  "signed-out": gettext("Signed out"),
};

let socket = null;
let attempts = 0;
let openedAt = 0;
let retryTimer = 0;
let state = "connecting";
let fresh = new Date();
const seen = new Set();

export function connection() {
  return state;
}

function clock(moment) {
  return `${String(moment.getHours()).padStart(2, "0")}:${String(moment.getMinutes()).padStart(2, "0")}`;
}

function drawPill() {
  const pill = document.getElementById("live-pill");
  if (!pill) return;
  pill.hidden = false;
  pill.dataset.state = state;
  const stale = state === "offline" || state === "reconnecting" ? gettext(", showing {time}", { time: clock(fresh) }) : "";
  pill.textContent = LABELS[state] + stale;
}

function become(next) {
  if (next === state) return;
  state = next;
  document.documentElement.dataset.connection = state;
  drawPill();
  document.dispatchEvent(new CustomEvent("connection", { detail: { state } }));
}

function tell(name, detail) {
  document.dispatchEvent(new CustomEvent(name, { detail }));
}

// Hints may come twice and in any order: (id, version) is what makes one the same as another.
function isNew(hint) {
  const key = `${hint.topic} ${hint.id} ${hint.version} ${hint.kind}`;
  if (seen.has(key)) return false;
  seen.add(key);
  if (seen.size > SEEN_MAX) seen.delete(seen.values().next().value);
  return true;
}

function receive(event) {
  let hint;
  try {
    hint = JSON.parse(event.data);
  } catch {
    return;
  }
  if (typeof hint?.id !== "string" || typeof hint?.topic !== "string") return;
  if (hint.kind === "resync") tell("resync", { why: "missed", within: hint.within });
  else if (isNew(hint)) tell("hint", hint);
}

function retryLater() {
  if (retryTimer) return;
  const ceiling = Math.min(BACKOFF_LAST_MS, BACKOFF_FIRST_MS * 2 ** attempts);
  attempts += 1;
  retryTimer = setTimeout(open, ceiling / 2 + Math.random() * (ceiling / 2));
}

// The page of a run hears of that run, whoever it belongs to: the server looks whether its reader may.
function watched() {
  const run = document.querySelector("article[data-run]")?.dataset.run;
  return run ? `?run=${encodeURIComponent(run)}` : "";
}

function open() {
  clearTimeout(retryTimer);
  retryTimer = 0;
  if (socket && socket.readyState <= WebSocket.OPEN) {
    // Requests fail while the socket stays open: whether they do no longer is seen by trying.
    if (state === "offline") tell("resync", { why: "retry" });
    return;
  }
  const scheme = location.protocol === "https:" ? "wss" : "ws";
  const mine = new WebSocket(`${scheme}://${location.host}/ws/inbox/${watched()}`);
  socket = mine;
  mine.addEventListener("open", () => {
    attempts = 0;
    openedAt = Date.now();
    become("live");
    tell("resync", { why: "open" });
  });
  mine.addEventListener("message", receive);
  mine.addEventListener("close", (event) => {
    if (socket !== mine) return;
    socket = null;
    if (event.code === SIGNED_OUT_CODE) {
      // Another page of this browser may have been given a new session since, which this one has as well.
      if (Date.now() - openedAt < RENEWED_MS) {
        become("signed-out");
        return;
      }
      become("reconnecting");
      retryTimer = setTimeout(open, RENEWED_MS);
      return;
    }
    become(navigator.onLine ? "reconnecting" : "offline");
    retryLater();
  });
}

function reopenAtOnce() {
  if (state === "signed-out" || document.hidden) return;
  attempts = 0;
  if (socket?.readyState === WebSocket.OPEN) tell("resync", { why: "visible" });
  else open();
}

// The socket stays open for as long as nobody says otherwise, and nobody would: a new one is opened.
function leave() {
  const silent = socket;
  socket = null;
  silent?.close();
}

// A fetch that says whether the server was reached at all: being offline is known by that, not by the socket alone.
// A look that is not answered in time is given up; what is posted may take as long as it takes.
export async function reach(url, options = {}) {
  const beside = socket;
  const patience = new AbortController();
  const timer = options.method ? 0 : setTimeout(() => patience.abort(new DOMException("", "TimeoutError")), REACH_MS);
  try {
    const response = await fetch(url, {
      credentials: "same-origin",
      ...options,
      signal: options.signal ? AbortSignal.any([options.signal, patience.signal]) : patience.signal,
      headers: { "HX-Request": "true", ...options.headers },
    });
    fresh = new Date();
    if (socket?.readyState === WebSocket.OPEN) attempts = 0;
    if (state === "offline") become(socket?.readyState === WebSocket.OPEN ? "live" : "reconnecting");
    drawPill();
    return response;
  } catch (error) {
    if (error.name === "AbortError") return null;
    if (patience.signal.aborted && socket === beside) leave();
    become("offline");
    retryLater();
    return null;
  } finally {
    clearTimeout(timer);
  }
}

// The text of what may be shown here; none where it was not answered, or the reader was led elsewhere: to a sign-in.
export async function reachText(url, options) {
  const response = await reach(url, options);
  return response?.ok && !response.redirected ? response.text() : "";
}

export function startLive() {
  open();
  setInterval(() => {
    if (!document.hidden && state !== "signed-out") tell("resync", { why: "poll" });
  }, POLL_MS);
  addEventListener("online", reopenAtOnce);
  addEventListener("offline", () => become("offline"));
  document.addEventListener("visibilitychange", reopenAtOnce);
}

// One polite region for the whole page, at most one message in five seconds; the newest wins.
const SPEAK_EVERY_MS = 5_000;
let spokenAt = 0;
let speakTimer = 0;

export function speak(text) {
  clearTimeout(speakTimer);
  const wait = Math.max(0, spokenAt + SPEAK_EVERY_MS - Date.now());
  speakTimer = setTimeout(() => {
    spokenAt = Date.now();
    document.getElementById("live-region").textContent = text;
  }, wait);
}
