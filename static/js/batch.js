// Rows that are ticked to be decided together: with x, the box itself, or Shift and the box for all in between. Only
// what one agent asks of one tool goes together. What is ticked stays so while the list is brought up to date.
import { speak } from "./live.js";
import { gettext } from "./words.js";

let list = null;
let bar = null;
let last = null;
// The row that was asked to go along, and does not.
let asked = "";

function rows() {
  return [...list.querySelectorAll(":scope > .row")];
}

function boxOf(row) {
  return row?.querySelector(":scope > .row-pick input") ?? null;
}

function ticked() {
  return [...list.querySelectorAll(".row-pick input:checked")];
}

function isClosed(row) {
  return row.classList.contains("closed");
}

// Called whenever rows, or what is ticked, may have changed.
export function sync() {
  if (!bar) return;
  for (const row of rows()) {
    if (isClosed(row) && boxOf(row)) boxOf(row).checked = false;
  }
  const boxes = ticked();
  const batch = boxes[0]?.closest(".row").dataset.batch ?? "";
  const isFull = boxes.length >= Number(bar.dataset.most);
  for (const row of rows()) {
    row.classList.toggle("asked", row.dataset.id === asked);
    const box = boxOf(row);
    if (!box) continue;
    const isApart = batch !== "" && row.dataset.batch !== batch;
    if (isApart) box.checked = false;
    row.classList.toggle("apart", isApart);
    box.disabled = isApart || isClosed(row) || (isFull && !box.checked);
  }
  const number = ticked().length;
  const text = gettext("{number} selected", { number });
  const count = bar.querySelector("[data-batch-count]");
  if (count.textContent === text) return;
  count.textContent = text;
  if (document.activeElement?.closest(".row")) speak(text);
}

// Everything from the box that was ticked last to this one becomes as this one is, as far as it may.
function reachTo(row, isTicked) {
  const all = rows();
  const [from, to] = [all.indexOf(last), all.indexOf(row)].sort((one, other) => one - other);
  for (const each of all.slice(from, to + 1)) {
    const box = boxOf(each);
    const isFull = ticked().length >= Number(bar.dataset.most);
    if (box && !isClosed(each) && each.dataset.batch === row.dataset.batch && !(isTicked && isFull)) box.checked = isTicked;
  }
}

function clicked(event) {
  const box = event.target.closest(".row-pick input");
  if (!box) return;
  const row = box.closest(".row");
  if (event.shiftKey && last?.isConnected) reachTo(row, box.checked);
  last = row;
  sync();
}

// The key x. A row that is decided on its own says why.
export function toggle(row) {
  if (!bar || !row || isClosed(row)) return;
  const box = boxOf(row);
  if (box && !box.disabled) {
    box.checked = !box.checked;
    last = row;
    sync();
    return;
  }
  asked = row.dataset.id;
  sync();
  const why = row.querySelector(box ? ".row-apart" : ".row-alone");
  speak(why ? why.textContent.replace("·", "").trim() : gettext("No more go together"));
}

export function startBatch(rowsList) {
  list = rowsList;
  bar = document.getElementById("batch-form");
  list.addEventListener("click", clicked);
  // Going back, a browser may bring back what was ticked.
  addEventListener("pageshow", sync);
  sync();
}
