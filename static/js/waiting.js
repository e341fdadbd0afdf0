// A pane that something is on its way to says so at once to whoever listens, and to whoever looks only where it takes
// longer than a moment: most of it comes sooner, and nothing moves for that.
const MOMENT_MS = 200;
// Under "waiting" the outline of what comes stands over all that was there; under "working" that stays and is changed.
const LOOKS = ["waiting", "working"];

const under = new WeakMap();

function draw(pane, waits) {
  for (const look of LOOKS) pane.classList.toggle(look, [...waits].some((wait) => wait.look === look && wait.isShown));
  if (waits.size) pane.setAttribute("aria-busy", "true");
  else pane.removeAttribute("aria-busy");
}

// Returns what ends the wait; what stood there is seen again then, unless something else has taken its place.
export function waitIn(pane, look = "waiting") {
  const waits = under.get(pane) ?? new Set();
  under.set(pane, waits);
  // Who changes their mind while they wait does not see the old again in between.
  const wait = { look, isShown: [...waits].some((other) => other.look === look && other.isShown) };
  waits.add(wait);
  draw(pane, waits);
  const timer = setTimeout(() => {
    wait.isShown = true;
    draw(pane, waits);
  }, MOMENT_MS);
  return () => {
    clearTimeout(timer);
    waits.delete(wait);
    draw(pane, waits);
  };
}

// Whether something else is to stand there: what is seen yet is not what the reader asked for.
export function isAwaited(pane) {
  return [...(under.get(pane) ?? [])].some(({ look }) => look === "waiting");
}
