// The palette (Ctrl-K, ⌘K on a Mac, or its button): pages that the rail leads to, what stands on this page to be pressed,
// pages seen last, and what the server finds. It opens no door of its own: it presses and follows what is there.
import { offer } from "./keys.js";
import { reachText, speak } from "./live.js";
import { parse } from "./morph.js";

const WAIT_MS = 150;
const SHORTEST = 2;
const MOST_RECENT = 8;
const ON_PAGE = "main :is(a.button[href], button):not([disabled], [aria-disabled=true], [data-compare])";
const COUNTED = / \(\d+\+?\)$/;
const IS_MAC = /^Mac|^iP/.test(navigator.platform);

let dialog = null;
let field = null;
let list = null;
let note = null;
let found = [];
let timer = 0;
let asking = null;

function words() {
  return field.value.trim().toLowerCase().split(/\s+/).filter(Boolean);
}

function plain(element) {
  const copy = element.cloneNode(true);
  for (const part of copy.querySelectorAll("kbd, svg, .badge")) part.remove();
  return copy.textContent.trim().replace(/\s+/g, " ");
}

// Seen last in this tab by this person; gone with the tab.
function recentKey() {
  return `recent of ${document.body.dataset.signedIn}`;
}

function recent() {
  return JSON.parse(sessionStorage.getItem(recentKey()) ?? "[]");
}

function remember() {
  const page = { title: document.title.replace(COUNTED, "").replace(/ · Countersign$/, ""), url: location.pathname + location.search };
  const others = recent().filter(({ url }) => new URL(url, location.origin).pathname !== location.pathname);
  sessionStorage.setItem(recentKey(), JSON.stringify([page, ...others].slice(0, MOST_RECENT)));
}

// Whoever signed out leaves no titles behind.
export function forgetPages() {
  for (const key of Object.keys(sessionStorage)) {
    if (key.startsWith("recent of ") || key.startsWith("row of ") || key === "list") sessionStorage.removeItem(key);
  }
}

function places() {
  return [...document.querySelectorAll(".nav-item")].map((link) => ({ title: link.querySelector(".label").textContent, act: () => link.click() }));
}

// What decides is led to and not pressed: it is decided with the page in view.
function press(element) {
  if (!element.isConnected || element.disabled) {
    speak(dialog.dataset.gone);
    return;
  }
  element.focus();
  element.scrollIntoView({ block: "nearest" });
  if (element.name !== "verdict") element.click();
}

function actions() {
  return [...document.querySelectorAll(ON_PAGE)]
    .filter((element) => element.checkVisibility({ visibilityProperty: true }) && plain(element))
    .map((element) => ({ title: plain(element), act: () => press(element) }));
}

function pagesSeen() {
  return recent()
    .filter(({ url }) => new URL(url, location.origin).pathname !== location.pathname)
    .map(({ title, url }) => ({ title, act: () => location.assign(url) }));
}

function option({ title, act }, id) {
  const element = document.createElement("div");
  element.className = "option";
  element.setAttribute("role", "option");
  element.id = id;
  element.textContent = title;
  element.act = act;
  return element;
}

function group(label, options) {
  const element = document.createElement("div");
  element.setAttribute("role", "group");
  element.setAttribute("aria-label", label);
  const heading = document.createElement("p");
  heading.className = "palette-group";
  heading.setAttribute("aria-hidden", "true");
  heading.textContent = label;
  element.append(heading, ...options);
  return element;
}

function fitting(entries) {
  const wanted = words();
  return entries.filter(({ title }) => wanted.every((word) => title.toLowerCase().includes(word)));
}

function draw() {
  const kinds = [
    ["recent", words().length ? [] : pagesSeen()],
    ["places", places()],
    ["here", actions()],
  ];
  const groups = kinds.map(([name, entries]) => [name, fitting(entries).map((entry, at) => option(entry, `${name}-${at}`))]);
  groups.push(["found", found]);
  const filled = groups.filter(([, options]) => options.length);
  list.replaceChildren(...filled.map(([name, options]) => group(dialog.dataset[name], options)));
  mark(options()[0] ?? null);
}

function say() {
  const number = options().length;
  note.textContent = number ? `${number} ${dialog.dataset.some}` : dialog.dataset.none;
  note.classList.toggle("visually-hidden", number > 0);
}

function options() {
  return [...list.querySelectorAll("[role=option]")];
}

function marked() {
  return document.getElementById(field.getAttribute("aria-activedescendant") ?? "");
}

function mark(wanted) {
  for (const each of options()) each.setAttribute("aria-selected", String(each === wanted));
  if (!wanted) {
    field.removeAttribute("aria-activedescendant");
    return;
  }
  field.setAttribute("aria-activedescendant", wanted.id);
  wanted.scrollIntoView({ block: "nearest" });
}

function move(direction) {
  const all = options();
  const at = all.indexOf(marked());
  mark(all[(at + direction + all.length) % all.length] ?? null);
}

function choose(chosen) {
  if (!chosen) return;
  dialog.close();
  if (chosen.act) chosen.act();
  else location.assign(chosen.dataset.url);
}

async function search() {
  asking?.abort();
  asking = new AbortController();
  const { signal } = asking;
  const text = field.value.trim();
  if (text.length < SHORTEST) {
    found = [];
    draw();
    say();
    return;
  }
  list.setAttribute("aria-busy", "true");
  const answer = await reachText(`${dialog.dataset.url}?${new URLSearchParams({ q: text })}`, { signal }).catch(() => "");
  if (signal.aborted) return;
  list.removeAttribute("aria-busy");
  found = answer ? [...parse(answer).children] : [];
  draw();
  say();
  if (!answer) note.textContent = dialog.dataset.failed;
  note.classList.toggle("visually-hidden", Boolean(answer) && options().length > 0);
}

function typed() {
  clearTimeout(timer);
  draw();
  timer = setTimeout(search, WAIT_MS);
}

function open() {
  if (dialog.open) {
    dialog.close();
    return;
  }
  if (document.querySelector("dialog[open]")) return;
  for (const menu of document.querySelectorAll("details.menu[open]")) menu.open = false;
  field.value = "";
  found = [];
  draw();
  dialog.showModal();
  field.focus();
}

function isOurs(event) {
  if (event.repeat || event.isComposing || event.keyCode === 229 || event.altKey || event.shiftKey) return false;
  const held = IS_MAC ? event.metaKey && !event.ctrlKey : event.ctrlKey && !event.metaKey;
  return held && event.key.toLowerCase() === "k";
}

function pressed(event) {
  if (event.isComposing || event.keyCode === 229) return;
  const steps = { ArrowDown: 1, ArrowUp: -1 };
  if (event.key in steps) move(steps[event.key]);
  else if (event.key === "Enter" && event.target === field) choose(marked());
  else return;
  event.preventDefault();
}

export function startPalette() {
  dialog = document.getElementById("palette");
  field = document.getElementById("palette-words");
  list = document.getElementById("palette-list");
  note = document.getElementById("palette-note");
  offer({ palette: open });
  document.addEventListener("keydown", (event) => {
    if (!isOurs(event)) return;
    event.preventDefault();
    open();
  });
  dialog.addEventListener("keydown", pressed);
  dialog.addEventListener("click", (event) => {
    const chosen = event.target.closest("[role=option]");
    if (chosen) choose(chosen);
    else if (event.target === dialog || event.target.closest("[data-close]")) dialog.close();
  });
  dialog.addEventListener("close", () => {
    clearTimeout(timer);
    asking?.abort();
    list.removeAttribute("aria-busy");
  });
  field.addEventListener("input", typed);
  for (const button of document.querySelectorAll("[data-palette]")) {
    button.hidden = false;
    if (IS_MAC) button.querySelector("kbd").textContent = "⌘ K";
    button.addEventListener("click", open);
  }
  remember();
}
