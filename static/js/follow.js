// Keeps a part of a page as the server has it now: fetched anew through the ordinary view on each hint that concerns
// it, at most once in a while, never twice at once.
import { reach } from "./live.js";
import { morph, parse } from "./morph.js";

const AT_MOST_EVERY_MS = 400;

export function follow(element, { concerns, after = () => {} }) {
  let running = false;
  let again = false;
  let timer = 0;

  async function fetchNow() {
    running = true;
    again = false;
    const response = await reach(element.dataset.url);
    if (response?.ok && !response.redirected) {
      const fresh = parse(await response.text());
      if (fresh?.id === element.id) {
        morph(element, fresh);
        after(element);
      }
    }
    timer = setTimeout(() => {
      running = false;
      if (again) fetchNow();
    }, AT_MOST_EVERY_MS);
  }

  function ask() {
    again = true;
    if (!running) fetchNow();
  }

  document.addEventListener("hint", (event) => {
    if (concerns(event.detail)) ask();
  });
  document.addEventListener("resync", ask);
  addEventListener("pagehide", () => clearTimeout(timer));
  return ask;
}
