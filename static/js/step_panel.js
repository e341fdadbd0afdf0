// On a wide screen a step opens beside the timeline, under an address of its own: Back leads to the one before.
import { reachText } from "./live.js";
import { parse } from "./morph.js";
import { waitIn } from "./waiting.js";

const WIDE = matchMedia("(min-width: 70rem)");

export function startPanel(run) {
  const here = new URL(location.href);
  let wanted = here.searchParams.get("step") ?? "";

  const panel = () => document.getElementById("step-panel");
  const linkOf = (seq) => run.querySelector(`.step-link[data-beside="${CSS.escape(seq)}"]`);

  function address(seq) {
    const { pathname } = location;
    return seq ? `${pathname}?step=${seq}` : pathname;
  }

  // What the page follows is said anew as well: the step that is open.
  function mark() {
    const base = run.dataset.url.split("?")[0];
    run.dataset.url = wanted ? `${base}?step=${wanted}` : base;
    for (const link of run.querySelectorAll(".step-link[aria-current]")) {
      if (link.dataset.beside !== wanted) link.removeAttribute("aria-current");
    }
    if (wanted) linkOf(wanted)?.setAttribute("aria-current", "true");
  }

  async function fetchPanel(seq) {
    return parse(await reachText(`/runs/${run.dataset.run}/steps/${seq}/`, { headers: { "HX-Target": "step-panel" } }));
  }

  // The list gets narrower, or wider: the row that was pressed stays where it was.
  function beside(row, change) {
    const before = row?.getBoundingClientRect().top;
    change();
    if (row) scrollBy({ top: row.getBoundingClientRect().top - before, behavior: "instant" });
  }

  async function show(seq) {
    const last = wanted;
    wanted = seq;
    if (!seq) {
      const row = linkOf(last)?.closest(".step");
      beside(row, () => panel()?.remove());
      mark();
      linkOf(last)?.focus({ preventScroll: true });
      return true;
    }
    const beforehand = panel() ?? linkOf(seq)?.closest(".step");
    const end = beforehand ? waitIn(beforehand, "working") : null;
    const fresh = await fetchPanel(seq);
    end?.();
    if (wanted !== seq) return true;
    if (!fresh) {
      wanted = last;
      return false;
    }
    beside(linkOf(seq)?.closest(".step"), () => {
      if (panel()) panel().replaceWith(fresh);
      else document.querySelector(".timeline-columns").append(fresh);
    });
    mark();
    document.getElementById("step-panel-title").focus({ preventScroll: true });
    return true;
  }

  async function press(event) {
    const link = event.target.closest?.("a[data-beside]");
    if (!link || event.metaKey || event.ctrlKey || event.shiftKey || event.button || !WIDE.matches) return;
    event.preventDefault();
    const seq = link.dataset.beside;
    if (await show(seq)) history.pushState(null, "", address(seq));
    else location.assign(link.href);
  }

  run.addEventListener("click", press);
  run.addEventListener("keydown", (event) => {
    if (event.key !== "Escape" || !event.target.closest("#step-panel")) return;
    panel().querySelector('a[data-beside=""]').click();
  });
  addEventListener("popstate", () => {
    const seq = new URL(location.href).searchParams.get("step") ?? "";
    if (seq !== wanted) show(seq);
  });

  // The panel that the reader has now stays: the server's may be of the step before.
  function prepare(fresh) {
    const theirs = fresh.querySelector("#step-panel");
    const ours = panel();
    if (theirs && theirs.dataset.step === ours?.dataset.step) return;
    theirs?.remove();
    if (ours) fresh.querySelector(".timeline-columns")?.append(ours.cloneNode(true));
  }

  mark();
  run.addEventListener("window", mark);
  return { prepare, after: mark };
}
