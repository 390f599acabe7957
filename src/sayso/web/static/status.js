// Follows an objection: asks again, ever more rarely, until its last step is done.
import { localise } from "./times.js";

const LAST_STEP = 4;
const SHORTEST_MS = 1500;
const LONGEST_MS = 60000;

let wait = SHORTEST_MS;

async function look() {
  const shown = document.getElementById("progress");
  if (!shown || Number(shown.dataset.done) >= LAST_STEP) return;
  if (!document.hidden) {
    try {
      const response = await fetch(location.href, { cache: "no-store" });
      const page = new DOMParser().parseFromString(await response.text(), "text/html");
      const fresh = page.getElementById("progress");
      if (response.ok && fresh && fresh.dataset.done !== shown.dataset.done) {
        shown.replaceChildren(...document.importNode(fresh, true).childNodes);
        shown.dataset.done = fresh.dataset.done;
        localise(shown);
      }
    } catch {
      // The server is away for a moment; the next look may find it.
    }
    wait = Math.min(wait * 1.4, LONGEST_MS);
  }
  setTimeout(look, wait);
}

setTimeout(look, wait);
