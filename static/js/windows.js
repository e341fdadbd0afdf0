// A long timeline is as long on the page as it is in the run, and holds the steps near the reader only: a window of
// steps comes when they get near it, and goes when they are far. What they opened in it is open when it comes again.
// Without this there are links to what lies between.
import { reachText } from "./live.js";
import { morph, parse } from "./morph.js";
import { gettext } from "./words.js";

const NEAR_PX = 1_500;
const FAR_PX = 4_500;
const ROW_PX = 45;
const FEW_WINDOWS = 4;
const root = document.documentElement;

function counted(number) {
  return number.toLocaleString(document.documentElement.lang);
}

export function startWindows(run) {
  const near = new Set();
  const opened = new Map();
  const underway = new Map();
  let tail = new Set();

  const list = () => document.getElementById("timeline");
  const all = () => [...(list()?.children ?? [])];
  const isAway = (win) => "away" in win.dataset;
  const size = () => Number(list().dataset.size);
  const windowOf = (seq) => document.getElementById(`window-${Math.ceil(seq / size())}`);

  const nearing = new IntersectionObserver(
    (entries) => {
      for (const { target, isIntersecting } of entries) {
        if (isIntersecting) {
          near.add(target);
          load(target);
        } else {
          near.delete(target);
          leave(target);
        }
      }
    },
    { rootMargin: `${NEAR_PX}px 0px` },
  );
  const leaving = new IntersectionObserver(
    (entries) => {
      for (const { target, isIntersecting } of entries) if (!isIntersecting) drop(target);
    },
    { rootMargin: `${FAR_PX}px 0px` },
  );

  // What is above the reader's place grows or shrinks upwards: what they look at stays where it is.
  function keepPlace(win, change) {
    const before = win.getBoundingClientRect();
    root.style.overflowAnchor = "none";
    change();
    const after = win.getBoundingClientRect();
    if (before.top < 0) scrollBy({ top: after.height - before.height, behavior: "instant" });
    requestAnimationFrame(() => {
      root.style.overflowAnchor = "";
    });
  }

  function rowHeight() {
    const rows = list().getElementsByClassName("step");
    const here = all().filter((win) => !isAway(win));
    const height = here.reduce((sum, win) => sum + win.getBoundingClientRect().height, 0);
    return rows.length ? height / rows.length : ROW_PX;
  }

  function placeholder(first, last) {
    const line = document.createElement("p");
    const link = document.createElement("a");
    link.href = `?at=${first}`;
    link.textContent = gettext("Steps {first} to {last}", { first: counted(first), last: counted(last) });
    line.className = "window-away";
    line.append(link);
    return line;
  }

  function span(number) {
    const first = (number - 1) * size() + 1;
    return [first, Math.min(number * size(), Number(list().dataset.newest))];
  }

  function awayWindow(number, height) {
    const [first, last] = span(number);
    const win = document.createElement("div");
    win.className = "window";
    win.id = `window-${number}`;
    win.dataset.number = number;
    setAway(win, (last - first + 1) * height, placeholder(first, last));
    return win;
  }

  function setAway(win, height, ...children) {
    win.style.height = `${height}px`;
    win.dataset.away = "";
    win.setAttribute("data-kept", "");
    win.replaceChildren(...children);
  }

  async function fetched(win, options) {
    const fresh = parse(await reachText(`/runs/${run.dataset.run}/windows/${win.dataset.number}/`, options));
    return fresh?.id === win.id ? fresh : null;
  }

  // Whoever asks for a window that is on its way waits for the same answer.
  function load(win, { wanted = false } = {}) {
    if (!isAway(win)) return Promise.resolve();
    const way = underway.get(win) ?? { stop: new AbortController(), wanted };
    way.wanted ||= wanted;
    if (!underway.has(win)) {
      underway.set(win, way);
      way.done = bring(win, way.stop.signal).finally(() => underway.get(win) === way && underway.delete(win));
    }
    return way.done;
  }

  // The reader has gone on before it came.
  function leave(win) {
    const way = underway.get(win);
    if (!way || way.wanted) return;
    underway.delete(win);
    way.stop.abort();
  }

  async function bring(win, signal) {
    const fresh = await fetched(win, { signal }).catch(() => null);
    if (!fresh || !isAway(win)) return;
    const focused = win.contains(document.activeElement);
    keepPlace(win, () => {
      win.style.height = "";
      delete win.dataset.away;
      win.toggleAttribute("data-settled", fresh.hasAttribute("data-settled"));
      win.replaceChildren(...fresh.childNodes);
      for (const id of opened.get(win.id) ?? []) document.getElementById(id)?.setAttribute("open", "");
    });
    if (focused) win.querySelector("summary")?.focus({ preventScroll: true });
    run.dispatchEvent(new CustomEvent("window", { detail: { window: win } }));
  }

  // Nothing that the reader is in the middle of goes.
  function isInUse(win) {
    const typed = [...win.querySelectorAll("input:not([type=hidden]), textarea")].some((field) => field.value !== field.defaultValue);
    return typed || win.contains(document.activeElement) || getSelection()?.containsNode(win, true);
  }

  function drop(win) {
    if (isAway(win) || all().length <= FEW_WINDOWS || isInUse(win)) return;
    opened.set(win.id, [...win.querySelectorAll("details[open][id]")].map((fold) => fold.id));
    setAway(win, win.getBoundingClientRect().height, placeholder(...span(Number(win.dataset.number))));
  }

  // Every window of the run stands in the list, loaded or away.
  function complete() {
    if (!list()) return;
    const height = rowHeight();
    for (const gap of list().querySelectorAll(".window-gap")) gap.remove();
    const last = Math.ceil(Number(list().dataset.newest) / size());
    let next = list().firstElementChild;
    for (let number = 1; number <= last; number += 1) {
      if (Number(next?.dataset.number) === number) next = next.nextElementSibling;
      else list().insertBefore(awayWindow(number, height), next);
    }
    for (const win of all()) {
      nearing.observe(win);
      leaving.observe(win);
    }
  }

  // Of what the server has now, only the last windows: all others on the page are left as they are.
  function prepare(fresh) {
    const theirs = fresh.querySelector("#timeline");
    if (!theirs) return;
    for (const gap of theirs.querySelectorAll(".window-gap")) gap.remove();
    const windows = new Map([...theirs.children].map((win) => [Number(win.dataset.number), win]));
    tail = new Set(windows.keys());
    for (const win of all()) {
      const number = Number(win.dataset.number);
      const stays = isAway(win) || !windows.has(number);
      win.toggleAttribute("data-kept", stays);
      if (stays) windows.set(number, win.cloneNode(false));
    }
    theirs.replaceChildren(...[...windows.entries()].sort(([one], [other]) => one - other).map(([, win]) => win));
  }

  function isSeen(win) {
    const { top, bottom } = win.getBoundingClientRect();
    return bottom > 0 && top < innerHeight;
  }

  async function refresh(win) {
    const fresh = await fetched(win);
    if (!fresh || isAway(win)) return;
    win.removeAttribute("data-kept");
    morph(win, fresh);
  }

  // Steps that were under way when their window left the end of the run, and those that the reader looks at, may have
  // changed as well.
  function after() {
    complete();
    for (const win of near) {
      if (!win.isConnected) near.delete(win);
      else if (isAway(win)) load(win);
      else if (!tail.has(Number(win.dataset.number)) && (isSeen(win) || !("settled" in win.dataset))) refresh(win);
    }
  }

  async function goTo(seq) {
    const win = list() && windowOf(seq);
    if (!win) return;
    await load(win, { wanted: true });
    const step = document.getElementById(`step-${seq}`);
    const fold = step?.querySelector(".step-fold");
    if (fold) fold.open = true;
    step?.scrollIntoView({ block: "start", behavior: "instant" });
  }

  complete();
  return { prepare, after, goTo };
}
