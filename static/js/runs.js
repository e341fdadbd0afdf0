// The list of runs: rows follow what happens; an example fills the form in place.
import { follow } from "./follow.js";

const list = document.getElementById("runs");

// Any run may be new here; of requests, only those that the rows speak of.
function concerns(hint) {
  return hint.topic === "run" || hint.topic === "switch" || list.querySelector(`a[href*="${CSS.escape(hint.id)}"]`) !== null;
}

follow(list, { concerns });

function offersOf(form) {
  const agent = form.elements.agent;
  for (const offer of form.querySelectorAll(".offers > li")) offer.hidden = offer.dataset.agent !== agent.value;
}

for (const form of document.querySelectorAll("form[data-start]")) {
  form.elements.agent.addEventListener("change", () => offersOf(form));
  offersOf(form);
  form.addEventListener("click", (event) => {
    const link = event.target.closest("a[data-text]");
    if (!link || event.metaKey || event.ctrlKey || event.shiftKey) return;
    event.preventDefault();
    form.elements.agent.value = link.closest("li").dataset.agent;
    form.elements.text.value = link.dataset.text;
    form.elements.text.focus();
    offersOf(form);
  });
}
