// Before and after of each edited argument, under its field. Data goes in as text, never as markup.
import { gettext } from "./words.js";

const UNSEEN = /([\p{Cc}\p{Cf}\p{Zl}\p{Zp}\u00a0\u115f\u1160\u3164\uffa0]+)/u;
const LAYOUT = /^[\n\t]+$/;

function codePoints(text) {
  return [...text].map((each) => `U+${each.codePointAt(0).toString(16).toUpperCase().padStart(4, "0")}`).join(" ");
}

// Characters that a reader would not see are named.
function revealed(text) {
  return text.split(UNSEEN).map((part, index) => {
    if (index % 2 === 0 || LAYOUT.test(part)) return document.createTextNode(part);
    const mark = document.createElement("span");
    mark.className = "revealed";
    mark.textContent = codePoints(part);
    return mark;
  });
}

function line(tag, label, text) {
  const element = document.createElement(tag);
  const spoken = document.createElement("span");
  spoken.className = "visually-hidden";
  spoken.textContent = `${label}: `;
  element.append(spoken, ...revealed(text));
  return element;
}

function shown(field, value) {
  if (field.tagName !== "SELECT") return value;
  return [...field.options].find((option) => option.value === value)?.textContent ?? value;
}

export function preview(field) {
  const frame = field.closest("[data-edit]")?.querySelector("[data-diff]");
  if (!frame || field.dataset.before === undefined) return;
  const before = field.dataset.before.replaceAll("\r\n", "\n");
  const after = field.value.replaceAll("\r\n", "\n");
  if (before === after) {
    frame.replaceChildren();
    return;
  }
  const diff = document.createElement("div");
  diff.className = "diff";
  diff.setAttribute("role", "group");
  diff.setAttribute("aria-label", field.labels?.[0]?.textContent.trim() ?? gettext("Change"));
  diff.append(line("del", gettext("Before"), shown(field, before)), line("ins", gettext("After"), shown(field, after)));
  frame.replaceChildren(diff);
}
