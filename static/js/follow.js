// Keeps a part of a page as the server has it now: fetched anew through the ordinary view on each hint that concerns
// it, at most once in a while, never twice at once.
import { reachText } from "./live.js";
import { paced } from "./looks.js";
import { morph, parse } from "./morph.js";

const AT_MOST_EVERY_MS = 400;

// `prepare` is handed what came before it is laid over what stands there.
export function follow(element, { concerns, prepare = () => {}, after = () => {} }) {
  const ask = paced(async () => {
    const fresh = parse(await reachText(element.dataset.url));
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
