// Says that the open request is open here, and shows who else has it open. A lease, renewed as long as the page is seen
// and connected: whoever goes away, or is cut off, is gone from it by themselves.
import { connection, reach, speak } from "./live.js";

const RENEWALS = 3;

let open = null;
let isSaid = false;
let timer = 0;

function place() {
  return document.getElementById("presence");
}

async function renew() {
  clearTimeout(timer);
  const mine = open;
  if (!mine || document.hidden || connection() !== "live") return;
  timer = setTimeout(renew, (mine.seconds * 1000) / RENEWALS);
  isSaid ||= mine.says;
  const response = await reach(mine.url, mine.says ? { method: "POST", body: mine.token } : {});
  if (mine !== open || !response?.ok || response.status === 204 || response.redirected) return;
  const others = place();
  const before = others.textContent.trim();
  others.innerHTML = (await response.text()).trim();
  const now = others.textContent.trim();
  if (now && now !== before) speak(now);
}

function leave() {
  clearTimeout(timer);
  if (!open || !isSaid) return;
  isSaid = false;
  const body = new URLSearchParams(open.token);
  body.set("gone", "1");
  navigator.sendBeacon(open.url, body);
}

// Whoever may not decide it reads who is there, and is not announced.
function shown() {
  const { url, seconds, says } = place()?.dataset ?? {};
  if (url === open?.url) return;
  leave();
  const csrfmiddlewaretoken = document.querySelector("[name=csrfmiddlewaretoken]").value;
  open = url ? { url, seconds: Number(seconds), says: says !== undefined, token: new URLSearchParams({ csrfmiddlewaretoken }) } : null;
  renew();
}

export function startPresence() {
  document.addEventListener("request:shown", shown);
  document.addEventListener("connection", renew);
  document.addEventListener("hint", ({ detail: hint }) => {
    if (hint.topic === "presence" && open?.url.includes(hint.id)) renew();
  });
  document.addEventListener("visibilitychange", () => (document.hidden ? leave() : renew()));
  addEventListener("pagehide", leave);
  shown();
}
