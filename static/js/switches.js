// Kill switches: the banner of every page, and on their own page the lists, as they are now.
import { follow } from "./follow.js";
import { reachText } from "./live.js";
import { turnOf } from "./looks.js";
import { morph, parse } from "./morph.js";

const banner = document.getElementById("switch-banner");
const lists = document.getElementById("kill-switches");
let isOpened = false;
let turn = 0;

async function lookAgain() {
  const mine = ++turn;
  const fresh = parse(await reachText(banner.dataset.url));
  if (mine === turn && fresh?.id === banner.id) morph(banner, fresh);
}

if (banner) {
  document.addEventListener("hint", ({ detail: hint }) => {
    if (hint.topic === "switch") setTimeout(lookAgain, turnOf(hint.within));
  });
  document.addEventListener("resync", ({ detail: { why, within } }) => {
    // The page has only just been made when its socket opens for the first time.
    if (why === "open" && !isOpened) isOpened = true;
    else setTimeout(lookAgain, turnOf(within));
  });
}

if (lists) {
  // What a switch holds back changes with the runs and their requests.
  follow(lists, { concerns: () => true });
}
