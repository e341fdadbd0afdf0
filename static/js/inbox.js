// The list beside the open request. Its order is frozen until the reader takes new rows in; a row that was decided greys
// where it stands and leaves at the next move; numbers are true at once.
import { reachText, speak } from "./live.js";
import { paced } from "./looks.js";
import { morph } from "./morph.js";
import { announceNew, isAnnounced, pageLeft, withdraw } from "./notifications.js";
import { noticed, startRequest } from "./request.js";
import { offer as offerKeys } from "./keys.js";
import { requestKeys } from "./request_keys.js";
import { rowKeys } from "./rows.js";
import { startBatch, sync, toggle } from "./batch.js";
import { gettext, ngettext } from "./words.js";

const AT_MOST_EVERY_MS = 300;
// Hidden tabs are not polled. One that has told something is: a lost hint must not leave that standing.
const CHECK_MS = 45_000;
const WAITING = new Set(["mine", "team"]);
const COUNTED = / \(\d+\+?\)$/;
const NARROW = matchMedia("(max-width: 60rem)");

const inbox = document.getElementById("inbox");
const list = document.getElementById("rows");
const arrivals = document.getElementById("new-rows");
const { tab, query, decidedQuery, rowsUrl, countsUrl } = inbox.dataset;
const titleOfList = document.title;

// What the server listed last: rows, and what stands below them.
let latest = rowsShown();
let rest = restShown();
let announced = 0;
// What the list had when somebody last looked at it.
let seen = new Set(latest.map((row) => row.dataset.id));
// What this reader sent and had answered: a list asked for before that is out of date.
let sent = 0;

function rowsShown() {
  return [...list.querySelectorAll(":scope > .row")];
}

function restShown() {
  const shown = [];
  for (let next = list.nextElementSibling; next && !next.matches(".batch-bar"); next = next.nextElementSibling) shown.push(next);
  return shown;
}

// `ids` left out asks for the whole list.
async function fragment(ofList, ids = []) {
  const html = await reachText([`${rowsUrl}?${ofList}`, ...[...ids].map((id) => `id=${id}`)].join("&"));
  if (!html) return null;
  const template = document.createElement("template");
  template.innerHTML = html;
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
    row.querySelector(".row-sub").textContent = isPutOff(row) ? gettext("Snoozed") : gettext("No longer waits for you");
    row.querySelector(".row-when").replaceChildren();
  }
}

function isPutOff(row) {
  return row.dataset.id === openId() && document.querySelector("#request [data-snoozed]") !== null;
}

function isCut() {
  return rest.some((element) => element.matches(".rows-more"));
}

async function closeGone(fresh) {
  const gone = rowsShown().filter((row) => !fresh.has(row.dataset.id) && !row.classList.contains("closed"));
  if (tab === "decided" || !gone.length) return;
  const asked = sent;
  const decided = await fragment(decidedQuery);
  // Unanswered, it says nothing of what became of them: the look after this one finds them gone again.
  if (asked !== sent || !decided) return;
  for (const row of gone) {
    const found = decided.querySelector(`#${row.id}`);
    if (found || !isCut()) close(row, found);
  }
}

function arrived() {
  const shown = new Set(rowsShown().map((row) => row.dataset.id));
  return latest.filter((row) => !shown.has(row.dataset.id)).length;
}

function offer() {
  const number = arrived();
  arrivals.hidden = number === 0;
  arrivals.querySelector("span").textContent = gettext("{number} new", { number });
  if (number > announced) speak(ngettext("One new request", "{number} new requests", number));
  announced = number;
}

// While nobody looks, what came is told outside of the page; a look ends that.
function notify() {
  if (!document.hidden) seen = new Set(latest.map((row) => row.dataset.id));
  if (WAITING.has(tab)) announceNew(latest.filter((row) => !seen.has(row.dataset.id)).length);
}

// What stands below the rows: that there are none, or that not all are listed.
function drawRest() {
  for (const element of restShown()) element.remove();
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
  if (rowsShown().length === 0) look({ urgent: true });
}

// Numbers come as they are read: 12, or 200+.
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
    spoken.textContent = ` ${gettext("waiting")}`;
    badge.replaceChildren(...(isNone ? [] : [team, spoken]));
  }
  document.title = `${titleOf()}${isNone ? "" : ` (${team})`}`;
}

function titleOf() {
  const title = document.getElementById("request-title")?.textContent;
  return title ? `${title} · Countersign` : titleOfList.replace(COUNTED, "");
}

// All there is.
async function lookAtAll() {
  const asked = sent;
  const counts = reachText(countsUrl);
  const content = await fragment(query);
  const counted = await counts;
  // Drawn over what was just done, it would close a row that was taken back: the next look is on its way.
  if (asked !== sent) return;
  if (counted) drawCounts(JSON.parse(counted).counts);
  if (!content) return;
  latest = [...content.querySelectorAll(".row")];
  rest = [...content.children].filter((element) => element.id !== "rows");
  const fresh = new Map(latest.map((row) => [row.dataset.id, row]));
  for (const row of rowsShown()) {
    if (fresh.has(row.dataset.id)) update(row, fresh.get(row.dataset.id));
  }
  await closeGone(fresh);
  draw();
}

// What was hinted at, and the numbers: one row, where one request has changed.
async function lookAt(ids) {
  const asked = sent;
  const content = await fragment(query, ids);
  if (asked !== sent || !content) return;
  const named = content.getElementById("rows");
  drawCounts(JSON.parse(named.dataset.counts));
  const fresh = new Map([...named.children].map((row) => [row.dataset.id, row]));
  place(ids, fresh);
  for (const row of rowsShown()) {
    if (!ids.has(row.dataset.id)) continue;
    if (fresh.has(row.dataset.id)) update(row, fresh.get(row.dataset.id));
    else if (tab !== "decided" && !row.classList.contains("closed")) close(row, content.querySelector(`#closed > #${row.id}`));
  }
  draw();
}

// Where the server would list them. Of a list that is cut, what comes after its last row is not there.
function place(ids, fresh) {
  const last = isCut() ? latest.at(-1)?.dataset.order : null;
  const known = new Set(latest.map((row) => row.dataset.id));
  const kept = latest.filter(({ dataset: { id } }) => !ids.has(id) || fresh.has(id)).map((row) => fresh.get(row.dataset.id) ?? row);
  const added = [...fresh.values()].filter(({ dataset: { id, order } }) => !known.has(id) && (!last || order <= last));
  latest = [...added, ...kept];
  if (tab !== "decided") latest.sort((one, other) => (one.dataset.order < other.dataset.order ? -1 : 1));
}

function draw() {
  sync();
  notify();
  if (rowsShown().length > 0) {
    drawRest();
    offer();
  } else if (latest.length > 0 || rest.some((element) => element.matches(".empty"))) {
    // Where nothing stands, there is no order to keep.
    takeIn();
  } else {
    // What an empty list says is the server's.
    look();
  }
}

const look = paced((ids) => (ids === null ? lookAtAll() : lookAt(ids)), AT_MOST_EVERY_MS);

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
  const row = document.getElementById(`row-${id}`);
  if (row && state === "pending" && tab !== "decided") {
    // Put off, it was closed for another reason than the list knew then. Taken back, it stays, also where the next move
    // comes before the list was fetched.
    if (WAITING.has(tab) && isPutOff(row) && row.classList.contains("closed")) close(row, null);
    else row.classList.remove("closed");
  }
  if (id !== lastOpened) opened();
  lastOpened = id;
  sync();
});
document.addEventListener("hint", ({ detail: hint }) => {
  if (hint.topic === "request") look(hint);
});
document.addEventListener("resync", ({ detail: { within } }) => look({ within }));
document.addEventListener("htmx:after:swap", ({ detail: { ctx } }) => {
  if (ctx.request.method !== "POST") return;
  sent += 1;
  look({ urgent: true });
});
document.addEventListener("visibilitychange", notify);
document.addEventListener("connection", ({ detail: { state } }) => {
  if (state === "signed-out") withdraw();
});
addEventListener("pagehide", pageLeft);
setInterval(() => {
  if (document.hidden && isAnnounced()) look();
}, CHECK_MS);
arrivals.addEventListener("click", takeIn);
startRequest();
const moves = rowKeys({
  place: "inbox",
  rows: () => rowsShown().filter((row) => !row.classList.contains("closed")),
  everyRow: rowsShown,
  current: () => list.querySelector(".row-link[aria-current]")?.closest(".row"),
  moved: leave,
});
offerKeys({
  ...moves.keys,
  ...requestKeys,
  accept: () => arrivals.hidden || arrivals.click(),
  select: () => toggle(moves.cursor()),
});
startBatch(list);
