// Files that go along with a question. They stay in this page's memory, and nowhere else.
import { announce, button, language, limits, make, say } from "./words.js";

/** What was added in this page: id → {name, size, data}, `data` as a data: URI. */
export const uploads = new Map();

/** A size in words: 12 kB. */
export function sizeOf(bytes) {
  const [unit, value] = bytes < 1e3 ? ["byte", bytes] : bytes < 1e6 ? ["kilobyte", bytes / 1e3] : ["megabyte", bytes / 1e6];
  const style = { style: "unit", unit, maximumFractionDigits: value < 10 ? 1 : 0 };
  return new Intl.NumberFormat(language, style).format(value);
}

function kindOf(name) {
  const [, ending] = /\.([^.]+)$/.exec(name.toLowerCase()) ?? [];
  return Object.hasOwn(limits.kinds, ending ?? "") ? limits.kinds[ending] : null;
}

function dataOf(file, kind) {
  return new Promise((resolve, reject) => {
    const reader = new FileReader();
    reader.onload = () => resolve(`data:${kind};base64,${reader.result.split(",")[1] ?? ""}`);
    reader.onerror = () => reject(reader.error);
    reader.readAsDataURL(file);
  });
}

/**
 * The files of the next question, shown as chips.
 * @param {{chips: HTMLElement, problem: HTMLElement, after: () => void}} parts `after`: they changed
 */
export function tray({ chips, problem, after }) {
  let chosen = [];

  function show() {
    chips.hidden = !chosen.length;
    chips.replaceChildren(...chosen.map((file) => {
      const remove = button("×", () => {
        chosen = chosen.filter(({ id }) => id !== file.id);
        uploads.delete(file.id);
        show();
        announce(say("removed", file));
        (chips.querySelector("button") ?? document.getElementById("question")).focus();
      }, "remove");
      remove.ariaLabel = say("remove", file);
      return make("li", {}, ...chip(file), remove);
    }));
    after();
  }

  function refusal(file) {
    const taken = [...uploads.values()].reduce((sum, { size }) => sum + size, 0);
    if (!kindOf(file.name)) return say("wrong_kind", { name: file.name, kinds: limits.named });
    if (!file.size) return say("empty_file", { name: file.name });
    if (file.size > limits.most_bytes) return say("too_large", { name: file.name, size: sizeOf(file.size), most: sizeOf(limits.most_bytes) });
    if (uploads.size >= limits.most) return say("too_many", { most: limits.most });
    if (taken + file.size > limits.most_together) return say("too_much", { name: file.name, most: sizeOf(limits.most_together) });
    return "";
  }

  return {
    /** Add files, or say why not. */
    async add(files) {
      const refused = [];
      for (const file of files) {
        const reason = refusal(file);
        if (reason) {
          refused.push(reason);
          continue;
        }
        try {
          const entry = { id: crypto.getRandomValues(new Uint32Array(2)).join("-"), name: file.name, size: file.size };
          uploads.set(entry.id, { ...entry, data: await dataOf(file, kindOf(file.name)) });
          chosen.push(entry);
        } catch {
          refused.push(say("unreadable", { name: file.name }));
        }
      }
      problem.textContent = refused.join(" ");
      problem.hidden = !refused.length;
      if (chosen.length) announce(say("attached", { names: chosen.map(({ name }) => name).join(", ") }));
      show();
    },
    /** Take the files out, for a question that is sent. */
    take() {
      const taken = chosen;
      chosen = [];
      problem.hidden = true;
      show();
      return taken;
    },
    /** Put files in that a question had, as far as they are still there. */
    put(files) {
      chosen = files.filter(({ id }) => uploads.has(id));
      show();
    },
    get size() {
      return chosen.length;
    },
  };
}

/** What a chip shows of a file. */
export function chip({ name, size }) {
  return [make("span", { className: "name", dir: "auto", textContent: name }), " ", make("span", { className: "size", textContent: sizeOf(size) })];
}
