// What every page has: theme without a reload, menus that close, times that stay true, and the live connection.
import { startCopying } from "./copy.js";
import { startTimes } from "./times.js";
import { startTheme } from "./theme.js";
import { startLive } from "./live.js";
import { offer, startKeys } from "./keys.js";
import { rowKeysOfPage } from "./rows.js";
import { forgetPages, startPalette } from "./palette.js";
import { startNotifications } from "./notifications.js";

function closeMenus(event) {
  for (const menu of document.querySelectorAll("details.menu[open]")) {
    if (!menu.contains(event.target)) menu.open = false;
  }
}

document.addEventListener("click", closeMenus);
document.addEventListener("keydown", (event) => {
  if (event.key !== "Escape") return;
  const menu = document.querySelector("details.menu[open]");
  if (!menu) return;
  menu.open = false;
  menu.querySelector("summary").focus();
  event.stopPropagation();
});

startTheme();
startTimes();
startCopying();
if (document.body.hasAttribute("data-signed-in")) {
  // Whoever signs out leaves nothing behind in this tab, what they had typed included.
  for (const form of document.querySelectorAll("form[data-sign-out]")) form.addEventListener("submit", () => sessionStorage.clear());
  startLive();
  startNotifications();
  offer(rowKeysOfPage());
  startKeys();
  startPalette();
} else {
  forgetPages();
}
