// What a reader typed is kept for each request, in this tab, until it was sent. Whoever signs in here next does not
// find it: drafts are kept by name. A typed confirmation is not carried over to other content.
const PREFIX = "draft";

function who() {
  return document.querySelector(".account .menu-note strong")?.textContent ?? "";
}

function keyOf(id) {
  return `${PREFIX} ${who()} ${id}`;
}

function read(id) {
  try {
    return JSON.parse(sessionStorage.getItem(keyOf(id))) ?? { revision: "", fields: {} };
  } catch {
    return { revision: "", fields: {} };
  }
}

function write(id, draft) {
  if (Object.keys(draft.fields).length) sessionStorage.setItem(keyOf(id), JSON.stringify(draft));
  else sessionStorage.removeItem(keyOf(id));
}

function isRadio(field) {
  return field.type === "radio";
}

function initial(field) {
  if (field.dataset.before !== undefined) return field.dataset.before;
  if (field.tagName === "SELECT") {
    const chosen = [...field.options].find((option) => option.defaultSelected) ?? field.options[0];
    return chosen?.value ?? "";
  }
  return field.defaultValue;
}

function same(one, other) {
  return one.replaceAll("\r\n", "\n") === other.replaceAll("\r\n", "\n");
}

export function keep(request, field) {
  const draft = read(request.dataset.id);
  const name = field.dataset.draft;
  if (!isRadio(field) && same(field.value, initial(field))) delete draft.fields[name];
  else draft.fields[name] = field.value;
  draft.revision = request.dataset.revision;
  write(request.dataset.id, draft);
}

// Puts the draft of the request that is shown into its fields.
export function restore(request) {
  const draft = read(request.dataset.id);
  for (const field of request.querySelectorAll("[data-draft]")) {
    const kept = draft.fields[field.dataset.draft];
    if (kept === undefined) continue;
    if (field.dataset.draft === "typed" && draft.revision !== request.dataset.revision) continue;
    if (isRadio(field)) field.checked = field.value === kept;
    else if (!same(field.value, kept)) field.value = kept;
  }
}

// Whether a field that stands on the page holds a draft.
export function isOpen(request) {
  const { fields } = read(request.dataset.id);
  return [...request.querySelectorAll("[data-draft]")].some((field) => field.dataset.draft in fields);
}

// `names` left out forgets all but the comment, which is sent on its own.
export function forget(id, names = null) {
  const draft = read(id);
  for (const name of names ?? Object.keys(draft.fields).filter((field) => field !== "comment")) delete draft.fields[name];
  write(id, draft);
}
