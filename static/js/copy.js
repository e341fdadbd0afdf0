// Buttons that copy a text. Over plain HTTP browsers give scripts no clipboard: the text is selected there instead.
import { speak } from "./live.js";
import { gettext } from "./words.js";

const SAID_MS = 2_000;

function select(element) {
  if (element instanceof HTMLInputElement) {
    element.select();
    return;
  }
  const range = document.createRange();
  range.selectNodeContents(element);
  const selection = getSelection();
  selection.removeAllRanges();
  selection.addRange(range);
}

async function copy(button) {
  const field = document.getElementById(button.dataset.copyField);
  try {
    await navigator.clipboard.writeText(field ? field.value : button.dataset.copy);
  } catch {
    select(field ?? button.previousElementSibling);
    speak(gettext("Selected. Copy it with the keyboard."));
    return;
  }
  const before = button.textContent;
  if (button.hasAttribute("data-copied")) return;
  button.setAttribute("data-copied", "");
  button.textContent = gettext("Copied");
  speak(gettext("Copied"));
  setTimeout(() => {
    button.textContent = before;
    button.removeAttribute("data-copied");
  }, SAID_MS);
}

export function startCopying() {
  document.addEventListener("click", (event) => {
    const button = event.target.closest?.("[data-copy], [data-copy-field]");
    if (button) copy(button);
  });
}
