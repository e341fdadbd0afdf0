// Makes what stands on the page equal to what the server sent, and keeps what the reader did to it: elements stay the
// same ones, so focus, scroll position and selection stay; a fold that was opened stays open; what was typed stays.
// Children are matched by id, the others by place and kind. What stands in an element marked data-kept is left alone.
const READERS_OWN = new Set(["open", "data-kept"]);

export function morph(live, fresh) {
  syncAttributes(live, fresh);
  if (!live.hasAttribute("data-kept")) syncChildren(live, fresh);
}

function syncAttributes(live, fresh) {
  for (const { name, value } of fresh.attributes) {
    if (!READERS_OWN.has(name) && live.getAttribute(name) !== value) live.setAttribute(name, value);
  }
  for (const { name } of [...live.attributes]) {
    if (!READERS_OWN.has(name) && !fresh.hasAttribute(name)) live.removeAttribute(name);
  }
}

function alike(live, fresh) {
  return live.nodeType === fresh.nodeType && live.nodeName === fresh.nodeName && (live.id ?? "") === (fresh.id ?? "");
}

// Gone before the rest is placed: an element that need not move keeps its focus.
function dropUnwanted(live, fresh) {
  const wanted = new Set([...fresh.children].map((child) => child.id));
  for (const child of [...live.children]) {
    if (child.id && !wanted.has(child.id)) child.remove();
  }
  // The spaces around what is gone are one text again, as in what the server sent: nothing has to move past them.
  for (const child of [...live.childNodes]) {
    const before = child.previousSibling;
    if (child.nodeType !== Node.TEXT_NODE || before?.nodeType !== Node.TEXT_NODE) continue;
    before.nodeValue += child.nodeValue;
    child.remove();
  }
}

function syncChildren(live, fresh) {
  dropUnwanted(live, fresh);
  let next = live.firstChild;
  for (const wanted of [...fresh.childNodes]) {
    const found = wanted.id ? [...live.children].find((child) => child.id === wanted.id) : null;
    const match = found ?? (next && alike(next, wanted) ? next : null);
    if (!match) {
      live.insertBefore(wanted, next);
      continue;
    }
    if (match === next) next = next.nextSibling;
    else live.insertBefore(match, next);
    if (!alike(match, wanted)) match.replaceWith(wanted);
    else if (match.nodeType === Node.ELEMENT_NODE) morph(match, wanted);
    else if (match.nodeValue !== wanted.nodeValue) match.nodeValue = wanted.nodeValue;
  }
  while (next) {
    const gone = next;
    next = next.nextSibling;
    gone.remove();
  }
}

// The element that a fragment of HTML consists of.
export function parse(html) {
  const template = document.createElement("template");
  template.innerHTML = html.trim();
  return template.content.firstElementChild;
}
