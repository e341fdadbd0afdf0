// When a page looks at what it was hinted at. Hints that come meanwhile are looked at together; a page rests between two
// looks; and where many pages heard the same, each waits a part, by chance, of the time that the server named for all
// of them, so that they do not stand in front of whoever decides. The first of them look at once.
const AT_ONCE_MS = 150;
// A stream of hints takes no more than a part of what the server can answer.
const RESTS = 2;
const HIDDEN_MS = 2_000;
const NAMED_MAX = 20;

export function turnOf(within = 0) {
  return Math.max(0, Math.random() * within - AT_ONCE_MS);
}

// `look` is called with the ids that were asked for since the last time, or with null for all there is. Returns what
// asks for a look; one's own doing is urgent, and waits neither for others nor for the rest.
export function paced(look, atMostEveryMs) {
  let ids = new Set();
  let isWhole = false;
  let isUrgent = false;
  let due = Infinity;
  let restedAt = 0;
  let spread = 0;
  let timer = 0;
  let isLooking = false;

  function plan() {
    if (isLooking || due === Infinity) return;
    clearTimeout(timer);
    const at = isUrgent ? due : Math.max(due, restedAt);
    timer = setTimeout(run, Math.max(0, at - performance.now()));
  }

  async function run() {
    const asked = isWhole || ids.size > NAMED_MAX ? null : ids;
    const rest = Math.max(atMostEveryMs, spread * RESTS);
    [ids, isWhole, isUrgent, due, spread, isLooking] = [new Set(), false, false, Infinity, 0, true];
    try {
      await look(asked);
    } finally {
      isLooking = false;
      restedAt = performance.now() + rest;
      plan();
    }
  }

  return ({ id = null, within = 0, urgent = false } = {}) => {
    if (id === null) isWhole = true;
    else ids.add(id);
    isUrgent ||= urgent;
    spread = Math.max(spread, within);
    const later = document.hidden && !urgent ? HIDDEN_MS * (1 + Math.random()) : 0;
    due = Math.min(due, performance.now() + (urgent ? 0 : turnOf(within)) + later);
    plan();
  };
}
