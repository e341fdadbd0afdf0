// What htmx brings into the detail: refusals (409, 422) stand there like any other answer, whole pages do not, and
// focus goes on from where it was.
import * as drafts from "./drafts.js";
import { waitIn } from "./waiting.js";
import { gettext } from "./words.js";

const FIELDS = "textarea, select, input:not([type=hidden])";

function isPage(text) {
  return /^\s*<(!doctype|html)/i.test(text);
}

function problem(detail, text) {
  document.getElementById("problem")?.remove();
  const line = document.createElement("p");
  line.id = "problem";
  line.className = "form-errors";
  line.setAttribute("role", "alert");
  line.textContent = text;
  // On a phone the list stands there as long as nothing is open.
  if (detail.checkVisibility()) (detail.querySelector(".request-scroll") ?? detail).prepend(line);
  else document.getElementById("rows").before(line);
  line.scrollIntoView({ block: "nearest" });
}

// The sign-in, or a page that says no: the reader is taken there.
function leaveFor(ctx) {
  if (ctx.request.method === "GET" && !ctx.response.raw.redirected) location.assign(ctx.request.action);
  else location.reload();
}

function forgetWhatWasSent(form, request) {
  if (form.matches("[data-decide]")) drafts.forget(request.dataset.id);
  if (form.matches(".comment-form")) drafts.forget(request.dataset.id, ["comment"]);
}

// What was refused is read first, then the form that was opened, then the form that was sent; else the whole.
function placeFocus(request, sentFrom) {
  const { mode } = request.dataset;
  const opened = mode === "edit" ? "#edit-fields" : ".dock-form";
  const said = document.getElementById("conflict") ?? document.getElementById("problem");
  const place =
    said ??
    request.querySelector("[aria-invalid=true]") ??
    (mode ? request.querySelector(`${opened} :is(${FIELDS})`) : null) ??
    (sentFrom ? request.querySelector(`form[action="${CSS.escape(sentFrom)}"] button`) : null) ??
    document.getElementById("request-title");
  if (place === said) place.tabIndex = -1;
  place.focus({ preventScroll: place.id === "request-title" });
}

export function startSwaps({ detail, current, swapBegins, swapEnded }) {
  let sentFrom = "";
  const waits = new WeakMap();
  const focusedAt = new WeakMap();

  // Another request takes the place of the one that is open; all else is a change of it, under which it stays.
  function waitFor(ctx) {
    const { pathname } = new URL(ctx.request.action, location);
    const isOther = ctx.request.method === "GET" && pathname !== current()?.dataset.url;
    waits.set(ctx, waitIn(detail, isOther ? "waiting" : "working"));
  }

  // To a row, with a key, while the answer was on its way: it is not taken away from there.
  function hasMovedOn(ctx) {
    const now = document.activeElement;
    return now !== focusedAt.get(ctx) && now.closest(".row") !== null;
  }

  function on(name, act) {
    document.addEventListener(`htmx:${name}`, (event) => {
      if (event.detail.ctx?.target === detail) act(event, event.detail.ctx);
    });
  }

  on("before:request", (_, ctx) => {
    document.querySelector(".inbox-list > #problem")?.remove();
    waitFor(ctx);
    focusedAt.set(ctx, document.activeElement);
    swapBegins();
  });
  on("finally:request", (_, ctx) => {
    waits.get(ctx)?.();
    swapEnded();
  });
  on("before:swap", (event, ctx) => {
    waits.get(ctx)?.();
    if (ctx.swap === "none") return;
    if (isPage(ctx.text)) {
      event.preventDefault();
      leaveFor(ctx);
      return;
    }
    const form = ctx.sourceElement;
    sentFrom = form.matches("form:not([data-decide])") ? form.getAttribute("action") : "";
    if (ctx.response.status === 200 && current() && form.matches("form")) forgetWhatWasSent(form, current());
  });
  on("after:swap", (_, ctx) => {
    // A row stays where it is, and so does the focus on it; what was pressed inside the detail is gone.
    if (ctx.sourceElement === detail && current() && !hasMovedOn(ctx)) placeFocus(current(), sentFrom);
  });
  on("error", (_, ctx) => {
    waits.get(ctx)?.();
    problem(detail, gettext("The server did not answer. Try again: what is sent twice counts once."));
  });
  on("response:error", (_, ctx) => {
    if (ctx.response.status < 500) return;
    waits.get(ctx)?.();
    problem(detail, gettext("The server failed. Reload the page to see whether what you did was taken."));
  });
}
