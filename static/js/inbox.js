// The list beside the open request. Its order is frozen until the reader takes new rows in; a row that was decided greys
// where it stands and leaves at the next move; numbers are true at once.
import { reach, speak } from "./live.js";
import { morph } from "./morph.js";
import { noticed, startRequest } from "./request.js";
import { startKeys } from "./keys.js";
import { startBatch, sync } from "./batch.js";

const AT_MOST_EVERY_MS = 300;
const COUNTED = / \(\d+\+?\)$/;
const NARROW = matchMedia("(max-width: 60rem)");

const inbox = document.getElementById("inbox");
const list = document.getElementById("rows");
const arrivals = document.getElementById("new-rows");
const { tab, rowsUrl, countsUrl } = inbox.dataset;
const search = document.getElementById("inbox-search").defaultValue;
const titleOfList = document.title;

// What the server listed last: rows, and what stands below them.
let latest = [];
let rest = [];
let announced = 0;
// What this reader sent and had answered: a list asked for before that is out of date.
let sent = 0;
let looking = false;
let again = false;

function rowsShown() {
  return [...list.querySelectorAll(":scope > .row")];
}

async function fragment(ofTab) {
  const response = await reach(`${rowsUrl}?${new URLSearchParams({ tab: ofTab, q: search })}`);
  if (!response?.ok || response.redirected) return null;
  const template = document.createElement("template");
  template.innerHTML = await response.text();
  return template.content;
}

function openId() {
  return document.getElementById("request")?.dataset.id ?? "";
}

function markCurrent(row) {
  const link = row.querySelector(".row-link");
  if (row.dataset.id === openId()) link.setAttribute("aria-current", "true");
  else link.removeAttribute("aria-current");
}

function update(row, fresh) {
  markCurrent(fresh);
  morph(row, fresh);
  noticed({ id: row.dataset.id, version: Number(row.dataset.version) });
}

// It is not in this list any more: decided, or not for this reader to decide. The list of decided ones says which.
function close(row, decided) {
  row.classList.add("closed");
  if (decided) {
    noticed({ id: row.dataset.id, version: Number(decided.dataset.version) });
    for (const part of [".row-sub", ".row-when"]) morph(row.querySelector(part), decided.querySelector(part));
  } else {
    row.querySelector(".row-sub").textContent = isPutOff(row) ? "Snoozed" : "No longer waits for you";
    row.querySelector(".row-when").replaceChildren();
  }
}

function isPutOff(row) {
  return row.dataset.id === openId() && document.querySelector("#request [data-snoozed]") !== null;
}

async function closeGone(fresh) {
  const isCut = rest.some((element) => element.matches(".rows-more"));
  const gone = rowsShown().filter((row) => !fresh.has(row.dataset.id) && !row.classList.contains("closed"));
  if (tab === "decided" || !gone.length) return;
  const asked = sent;
  const decided = await fragment("decided");
  if (asked !== sent) return;
  for (const row of gone) {
    const found = decided?.querySelector(`#${row.id}`) ?? null;
    if (found || !isCut) close(row, found);
  }
}

function arrived() {
  const shown = new Set(rowsShown().map((row) => row.dataset.id));
  return latest.filter((row) => !shown.has(row.dataset.id)).length;
}

function offer() {
  const number = arrived();
  arrivals.hidden = number === 0;
  arrivals.querySelector("span").textContent = `${number} new`;
  if (number > announced) speak(number === 1 ? "One new request" : `${number} new requests`);
  announced = number;
}

// What stands below the rows: that there are none, or that not all are listed.
function drawRest() {
  while (list.nextElementSibling && !list.nextElementSibling.matches(".batch-bar")) list.nextElementSibling.remove();
  const isEmpty = rowsShown().length === 0;
  if (isEmpty) list.replaceChildren();
  list.after(...rest.filter((element) => isEmpty || !element.matches(".empty")));
}

// Every row in the order of now, those that were closed left out; focus stays on its row.
function takeIn() {
  const focused = document.activeElement?.closest(".row") ?? null;
  const known = new Map(rowsShown().map((row) => [row.dataset.id, row]));
  const rows = latest.map((fresh) => {
    const row = known.get(fresh.dataset.id) ?? fresh.cloneNode(true);
    if (!known.has(fresh.dataset.id)) row.classList.add("arriving");
    markCurrent(row);
    return row;
  });
  const first = rows.find((row) => !known.has(row.dataset.id));
  const fromButton = document.activeElement === arrivals;
  list.replaceChildren(...rows);
  window.htmx.process(list);
  drawRest();
  offer();
  sync();
  if (focused?.isConnected) focused.querySelector(".row-link").focus({ preventScroll: true });
  else if (fromButton) first?.querySelector(".row-link").focus();
}

// The next move: what was closed leaves, but for `kept`.
function leave(kept = null) {
  if (tab === "decided") return;
  for (const row of list.querySelectorAll(":scope > .row.closed")) {
    if (row !== kept) row.remove();
  }
  sync();
  if (rowsShown().length === 0) follow();
}

// Numbers come as they are read: 12, or 1000+.
function drawCounts(counts) {
  const { team } = counts;
  for (const [key, number] of Object.entries(counts)) {
    const count = document.querySelector(`[data-count-of="${key}"]`);
    if (count) count.textContent = number;
  }
  const isNone = team === "0";
  const badge = document.getElementById("inbox-badge");
  if (badge) {
    badge.dataset.count = team;
    const spoken = document.createElement("span");
    spoken.className = "visually-hidden";
    spoken.textContent = " waiting";
    badge.replaceChildren(...(isNone ? [] : [team, spoken]));
  }
  document.title = `${titleOf()}${isNone ? "" : ` (${team})`}`;
}

function titleOf() {
  const title = document.getElementById("request-title")?.textContent;
  return title ? `${title} · Countersign` : titleOfList.replace(COUNTED, "");
}

async function look() {
  const asked = sent;
  const counts = reach(countsUrl).then((response) => (response?.ok && !response.redirected ? response.json() : null));
  const content = await fragment(tab);
  const counted = await counts;
  // Drawn over what was just done, it would close a row that was taken back: the next look is on its way.
  if (asked !== sent) return;
  if (counted) drawCounts(counted.counts);
  if (!content) return;
  latest = [...content.querySelectorAll(".row")];
  rest = [...content.children].filter((element) => element.id !== "rows");
  const fresh = new Map(latest.map((row) => [row.dataset.id, row]));
  for (const row of rowsShown()) {
    if (fresh.has(row.dataset.id)) update(row, fresh.get(row.dataset.id));
  }
  await closeGone(fresh);
  sync();
  // Where nothing stands, there is no order to keep.
  if (rowsShown().length === 0) {
    takeIn();
  } else {
    drawRest();
    offer();
  }
}

async function follow() {
  again = true;
  if (looking) return;
  looking = true;
  try {
    while (again) {
      again = false;
      await look();
      await new Promise((resolve) => setTimeout(resolve, AT_MOST_EVERY_MS));
    }
  } finally {
    looking = false;
  }
}

function opened() {
  inbox.classList.add("open");
  for (const row of rowsShown()) markCurrent(row);
  leave(document.getElementById(`row-${openId()}`));
  document.title = titleOf() + (document.title.match(COUNTED)?.[0] ?? "");
  if (NARROW.matches) {
    document.getElementById("request-title").focus({ preventScroll: true });
    scrollTo(0, 0);
  }
}

let lastOpened = openId();
document.addEventListener("request:shown", ({ detail: { id, state } }) => {
  // Taken back: it stays, also where the next move comes before the list was fetched.
  if (state === "pending" && tab !== "decided") document.getElementById(`row-${id}`)?.classList.remove("closed");
  if (id !== lastOpened) opened();
  lastOpened = id;
  sync();
});
document.addEventListener("hint", ({ detail: hint }) => {
  if (hint.topic === "request") follow();
});
document.addEventListener("resync", follow);
document.addEventListener("htmx:after:swap", ({ detail: { ctx } }) => {
  if (ctx.request.method !== "POST") return;
  sent += 1;
  follow();
});
arrivals.addEventListener("click", takeIn);
startRequest();
startKeys({ list, leave, arrivals });
startBatch(list);
