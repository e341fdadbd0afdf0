// The rows of a list, moved through and opened by keys. Which row was left last is kept for as long as the tab is open,
// and so are the rows themselves: a page that was opened from a list knows the next one, the one before, and the way back.
const ROWS = "main :is(tr.linked, .rules > li, .history > li)";
const BACK = "main .back a";
const LIST = "list";

function linkOf(row) {
  return row?.querySelector(".row-link") ?? row?.querySelector("a[href]") ?? null;
}

// `place` names the list, `rows` gives those that keys stop at, `everyRow` all that stand there, `current` the one that is
// open beside the list; `moved` is told of each move.
export function rowKeys({ place, rows, everyRow = rows, current = () => null, moved = () => {} }) {
  const kept = `row of ${place}`;

  // The focused one, the open one, or the one that was left last.
  function cursor() {
    const all = everyRow();
    const focused = all.find((row) => row.contains(document.activeElement));
    const left = sessionStorage.getItem(kept);
    return focused ?? current() ?? all.find((row) => linkOf(row)?.pathname === left) ?? null;
  }

  function step(direction) {
    const all = everyRow();
    const from = all.indexOf(cursor());
    const ahead = direction > 0 ? all.slice(from + 1) : all.slice(0, Math.max(from, 0)).reverse();
    const stops = new Set(rows());
    return ahead.find((row) => stops.has(row)) ?? null;
  }

  function go(row) {
    const link = linkOf(row);
    if (!link) return;
    sessionStorage.setItem(kept, link.pathname);
    link.focus();
    link.scrollIntoView({ block: "nearest" });
    moved(row);
  }

  function open(row) {
    go(row);
    linkOf(row)?.click();
  }

  return {
    cursor,
    keys: {
      next: () => go(step(1)),
      previous: () => go(step(-1)),
      open: () => open(cursor()),
      open_next: () => open(step(1)),
      open_previous: () => open(step(-1)),
    },
  };
}

// Those that lead to a page of their own.
function rowsHere() {
  return [...document.querySelectorAll(ROWS)].filter((row) => (linkOf(row)?.pathname ?? location.pathname) !== location.pathname);
}

// A row of this list is opened, by key or not.
function keepList(event) {
  const links = rowsHere().map(linkOf);
  if (!links.includes(event.target.closest?.("a"))) return;
  sessionStorage.setItem(LIST, JSON.stringify({ url: location.href, rows: links.map((link) => link.href) }));
}

// The list that this page was opened from, and its place there.
function listBefore() {
  const kept = JSON.parse(sessionStorage.getItem(LIST) ?? "null");
  const at = kept?.rows.findIndex((url) => new URL(url).pathname === location.pathname) ?? -1;
  return at < 0 ? null : { ...kept, at };
}

function visit(url) {
  if (url) location.assign(url);
}

function neighbours({ rows, at }) {
  return {
    open_next: () => visit(rows[at + 1]),
    open_previous: () => visit(rows[at - 1]),
  };
}

// What the keys of rows do on this page; nothing for the inbox, whose list opens beside itself.
export function rowKeysOfPage() {
  if (document.getElementById("inbox")) return {};
  const before = listBefore();
  const back = before?.url ?? [...document.querySelectorAll(BACK)].at(-1)?.href;
  const isList = rowsHere().length > 0 || document.getElementById("runs") !== null;
  if (isList) document.addEventListener("click", keepList, true);
  // A page that was opened from a list and has one of its own: j and k move through its own, [ and ] through the other.
  return {
    ...(isList ? rowKeys({ place: location.pathname, rows: rowsHere }).keys : {}),
    ...(before ? neighbours(before) : {}),
    ...(back ? { back: () => visit(back) } : {}),
  };
}
