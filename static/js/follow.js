// Keeps a part of a page as the server has it now: fetched anew through the ordinary view on each hint that concerns
// it, at most once in a while, never twice at once.
import { reach } from "./live.js";
import { paced } from "./looks.js";
import { morph, parse } from "./morph.js";

const AT_MOST_EVERY_MS = 400;

// `prepare` is handed what came before it is laid over what stands there.
export function follow(element, { concerns, prepare = () => {}, after = () => {} }) {
  const ask = paced(async () => {
    const response = await reach(element.dataset.url);
    if (!response?.ok || response.redirected) return;
    const fresh = parse(await response.text());
    if (fresh?.id !== element.id) return;
    prepare(fresh);
    morph(element, fresh);
    after(element);
  }, AT_MOST_EVERY_MS);

  document.addEventListener("hint", ({ detail: hint }) => {
    if (concerns(hint)) ask({ within: hint.within });
  });
  document.addEventListener("resync", ({ detail: { within } }) => ask({ within }));
}
