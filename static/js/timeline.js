// The page of a run follows it live; the raw data of a step is fetched when it is opened.
import { reach, speak } from "./live.js";
import { follow } from "./follow.js";

const run = document.getElementById("run");

// Of requests, only those that the page speaks of.
function mine(hint) {
  return hint.id === run.dataset.run || hint.topic === "switch" || run.querySelector(`a[href*="${CSS.escape(hint.id)}"]`) !== null;
}

function tell() {
  if (run.dataset.said === said) return;
  said = run.dataset.said;
  const waits = document.getElementById("run-waits");
  speak(`The run is now: ${said}.${waits ? ` ${waits.textContent.trim()}` : ""}`);
}

async function openRaw(fold) {
  const body = fold.querySelector(".step-raw-body");
  if (!fold.open || body.hasAttribute("data-kept")) return;
  body.setAttribute("aria-busy", "true");
  const response = await reach(fold.dataset.raw);
  body.removeAttribute("aria-busy");
  if (!response?.ok || response.redirected) return;
  body.innerHTML = await response.text();
  body.setAttribute("data-kept", "");
}

// The raw data of a step that is still at work changes with the step: it is fetched anew when it is opened again.
function forget(event) {
  const fold = event.target;
  if (!fold.matches?.("[data-raw]")) return;
  if (fold.open) openRaw(fold);
  else fold.querySelector(".step-raw-body").removeAttribute("data-kept");
}

function openTarget() {
  const fold = document.getElementById(location.hash.slice(1))?.querySelector(".step-fold");
  if (fold) fold.open = true;
}

let said = run.dataset.said;
follow(run, { concerns: mine, after: tell });
// "toggle" does not bubble.
run.addEventListener("toggle", forget, true);
addEventListener("hashchange", openTarget);
openTarget();
