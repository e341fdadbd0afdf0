// The page of a run follows it live; the raw data of a step is fetched when it is opened.
import { reachText, speak } from "./live.js";
import { follow } from "./follow.js";
import { gettext } from "./words.js";
import { startPanel } from "./step_panel.js";
import { startWindows } from "./windows.js";

const run = document.getElementById("run");

// Of requests, only those that the page speaks of.
function mine(hint) {
  return hint.id === run.dataset.run || hint.topic === "switch" || run.querySelector(`a[href*="${CSS.escape(hint.id)}"]`) !== null;
}

function tell() {
  if (run.dataset.said === said) return;
  said = run.dataset.said;
  const waits = document.getElementById("run-waits");
  speak(`${gettext("The run is now: {state}.", { state: said })}${waits ? ` ${waits.textContent.trim()}` : ""}`);
}

async function openRaw(fold) {
  const body = fold.querySelector(".step-raw-body");
  if (!fold.open || body.hasAttribute("data-kept")) return;
  body.setAttribute("aria-busy", "true");
  const html = await reachText(fold.dataset.raw);
  body.removeAttribute("aria-busy");
  if (!html) return;
  body.innerHTML = html;
  body.setAttribute("data-kept", "");
}

// The raw data of a step that is still at work changes with the step: it is fetched anew when it is opened again.
function forget(event) {
  const fold = event.target;
  if (!fold.matches?.("[data-raw]")) return;
  if (fold.open) openRaw(fold);
  else fold.querySelector(".step-raw-body").removeAttribute("data-kept");
}

// A step that an address names is brought onto the page.
function openTarget() {
  const [, seq] = /^#step-(\d+)$/.exec(location.hash) ?? [];
  if (seq) windows.goTo(Number(seq));
}

// A link to a step leads to it on this page, which may have to fetch it.
function followStep(event) {
  const link = event.target.closest?.('a[href*="#step-"]');
  if (!link || "beside" in link.dataset || !/^#step-\d+$/.test(link.hash)) return;
  if (event.metaKey || event.ctrlKey || event.shiftKey) return;
  event.preventDefault();
  if (location.hash === link.hash) openTarget();
  else location.hash = link.hash;
}

let said = run.dataset.said;
const windows = startWindows(run);
const panel = startPanel(run);
follow(run, {
  concerns: mine,
  prepare(fresh) {
    windows.prepare(fresh);
    panel.prepare(fresh);
  },
  after() {
    tell();
    windows.after();
    panel.after();
  },
});
// "toggle" does not bubble.
run.addEventListener("toggle", forget, true);
run.addEventListener("click", followStep);
addEventListener("hashchange", openTarget);
openTarget();
