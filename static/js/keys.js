// Single keys, on every page. Which key does what is the person's choice (data-keys of the body); what of it can be done
// here is what the modules of the page offer. None works in fields, in dialogs and menus, while text is composed, on
// repeat, or with modifiers.
const SECOND_KEY_MS = 1_500;
const FIELD = "input, textarea, select, [contenteditable]";
// Nothing is typed into these.
const NO_FIELD = ".reason-chip input, .row-pick input";
const OPEN = "dialog[open], details.menu[open]";
const PLACES = ["inbox", "runs", "agents", "policies", "audit"];

const offered = new Map();
let actionOfKey = new Map();
let placeOfKey = new Map();
let goingUntil = 0;

// `actions`: functions by the action's name; `digit` is given the digit that was pressed.
export function offer(actions) {
  for (const [name, act] of Object.entries(actions)) offered.set(name, act);
}

function linkTo(place) {
  return document.querySelector(`.nav-${place} .nav-item`);
}

function typedOn(event) {
  return event.target.closest?.(FIELD) ?? null;
}

function isMeantForUs(event) {
  if (event.defaultPrevented || event.repeat || event.isComposing || event.keyCode === 229) return false;
  if (event.ctrlKey || event.metaKey || event.altKey || event.getModifierState("AltGraph")) return false;
  // Signs sit behind Shift on many keyboards, and digits on some; letters with Shift are other keys.
  if (event.shiftKey && (event.key.length > 1 || event.key.toLowerCase() !== event.key.toUpperCase())) return false;
  const field = typedOn(event);
  if (field && !field.matches(NO_FIELD)) return false;
  return !document.querySelector(OPEN);
}

function actionOf(event) {
  const going = performance.now() < goingUntil;
  goingUntil = 0;
  if (going) {
    const link = linkTo(placeOfKey.get(event.key));
    return link ? () => link.click() : null;
  }
  // Enter on a link or a button is theirs.
  if (event.key === "Enter") return document.activeElement === document.body ? offered.get("open") : null;
  const digit = offered.get("digit");
  if (digit && /^[0-9]$/.test(event.key)) return () => digit(Number(event.key));
  return offered.get(actionOfKey.get(event.key)) ?? null;
}

function pressed(event) {
  if (!isMeantForUs(event)) return;
  const act = actionOf(event);
  if (!act) return;
  event.preventDefault();
  act();
}

// The overlay names what works on this page, and no more.
function showHelp() {
  const dialog = document.getElementById("key-help");
  for (const line of dialog.querySelectorAll("[data-action]")) {
    const { action } = line.dataset;
    line.hidden = action.startsWith("go_") ? !linkTo(action.slice(3)) : !offered.has(action);
  }
  for (const group of dialog.querySelectorAll("section")) {
    group.hidden = !group.querySelector("[data-action]:not([hidden])");
  }
  dialog.showModal();
}

export function startKeys() {
  const keys = JSON.parse(document.body.dataset.keys);
  actionOfKey = new Map(Object.entries(keys).filter(([name]) => !name.startsWith("go_")).map(([name, key]) => [key, name]));
  placeOfKey = new Map(PLACES.map((place) => [keys[`go_${place}`], place]));
  offer({
    go: () => {
      goingUntil = performance.now() + SECOND_KEY_MS;
    },
    help: showHelp,
  });
  for (const button of document.querySelectorAll("[data-key-help]")) {
    button.hidden = false;
    button.addEventListener("click", () => {
      button.closest("details.menu")?.removeAttribute("open");
      showHelp();
    });
  }
  // Before the menus hear of it: Escape closes the menu, or goes back, but not both. With the keys off, none does anything.
  if (Object.keys(keys).length) document.addEventListener("keydown", pressed, true);
}
