// Follows an objection: asks again, ever more rarely, until its last step is done.
import { localise } from "./times.js";

const SHORTEST_MS = 1500;
const LONGEST_MS = 60000;

let wait = SHORTEST_MS;

async function look() {
  const shown = document.getElementById("progress");
  if (!shown || "final" in shown.dataset) return;
  if (!document.hidden) {
    try {
      const response = await fetch(location.href, { cache: "no-store" });
      const page = new DOMParser().parseFromString(await response.text(), "text/html");
      const fresh = page.getElementById("progress");
      if (response.ok && fresh && fresh.dataset.mark !== shown.dataset.mark) {
        renew(shown, fresh);
        renameModel(page);
        wait = SHORTEST_MS;
      }
    } catch {
      // The server is away for a moment; the next look may find it.
    }
    wait = Math.min(wait * 1.4, LONGEST_MS);
  }
  setTimeout(look, wait);
}

/** Say in the footer which model answers now. */
function renameModel(page) {
  const there = document.querySelector("footer code"), now = page.querySelector("footer code");
  if (there && now) there.textContent = now.textContent;
}

/** Show what is new, and leave unfolded what was unfolded. */
function renew(shown, fresh) {
  const open = [...shown.querySelectorAll("details")].map((part) => part.open);
  shown.replaceChildren(...document.importNode(fresh, true).childNodes);
  shown.dataset.mark = fresh.dataset.mark;
  if ("final" in fresh.dataset) shown.dataset.final = "";
  const parts = shown.querySelectorAll(".case");
  if (parts.length) parts.forEach((part, at) => { part.open = open[at] ?? part.open; });
  localise(shown);
}

setTimeout(look, wait);
