// The conversations of this browser, if its reader keeps any: a list to open, rename, delete, store.
import { fileName } from "./pictures.js";
import * as talks from "./talk.js";
import { announce, button, download, language, make, say } from "./words.js";

const day = new Intl.DateTimeFormat(language, { dateStyle: "medium", timeStyle: "short" });

/**
 * @param {HTMLDialogElement} dialog
 * @param {{current: () => object, show: (talk: object) => void, changed: () => void}} page
 */
export function history(dialog, { current, show, changed }) {
  const wish = dialog.querySelector("#keep");
  const rows = dialog.querySelector("#kept");
  const all = twice(dialog.querySelector("#forget-all").textContent, forgetAll);
  dialog.querySelector("#forget-all").replaceWith(Object.assign(all, { id: "forget-all" }));
  const store = dialog.querySelector("#store");

  function draw() {
    const found = talks.keeping() ? talks.list() : [];
    wish.checked = talks.keeping();
    rows.replaceChildren(...found.map(row));
    rows.hidden = !found.length;
    all.hidden = !found.length;
    store.hidden = !current().messages.length;
    dialog.querySelector("#none-kept").hidden = !talks.keeping() || found.length > 0;
    changed();
  }

  function row(talk) {
    const own = talk.id === current().id;
    const name = talks.title(talk);
    const opens = button("", () => {
      dialog.close();
      show(talks.open(talk.id) ?? talks.begin());
    }, "opens");
    opens.append(make("b", { dir: "auto", textContent: name }), make("span", { className: "fine", textContent: day.format(talk.at) }));
    if (own) opens.setAttribute("aria-current", "true");
    const item = make("li", {}, opens);
    const tools = make("span", { className: "tools" },
      named(button(say("rename"), () => item.replaceChildren(renaming(talk))), name),
      named(button(say("export"), () => save(talk)), name),
      named(twice(say("delete"), () => {
        talks.forget(talk.id);
        if (own) show(talks.begin());
        draw();
        announce(say("deleted"));
        (rows.querySelector("button") ?? wish).focus();
      }), name));
    item.append(tools);
    return item;
  }

  function renaming(talk) {
    const field = make("input", { value: talks.title(talk), maxLength: 80, ariaLabel: say("new_name") });
    const form = make("form", { className: "renaming" }, field, make("button", { className: "link", textContent: say("save") }));
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      if (talk.id === current().id) current().title = field.value.trim();
      talks.rename(talk.id, field.value.trim());
      draw();
    });
    form.addEventListener("keydown", (event) => {
      if (event.key !== "Escape") return;
      event.preventDefault(); // or the whole dialog would close
      draw();
    });
    queueMicrotask(() => field.select());
    return form;
  }

  function forgetAll() {
    for (const { id } of talks.list()) talks.forget(id);
    show(talks.begin());
    draw();
    announce(say("deleted"));
    wish.focus();
  }

  wish.addEventListener("change", () => {
    talks.keep(wish.checked, current());
    announce(say(wish.checked ? "keeps" : "keeps_not"));
    draw();
  });
  store.addEventListener("click", () => save(current()));
  return () => {
    draw();
    dialog.showModal();
  };
}

function save(talk) {
  const text = new Blob([talks.asMarkdown(talk)], { type: "text/markdown" });
  download(text, `${fileName(talks.title(talk)) || "conversation"}.md`);
}

// Which of many buttons with the same words.
function named(made, name) {
  made.append(make("span", { className: "visually-hidden", textContent: `: ${name}` }));
  return made;
}

/** A button that acts when it is pressed twice. */
function twice(label, act) {
  const made = button(label, () => {
    if (made.dataset.asked) return act();
    made.dataset.asked = "yes";
    made.firstChild.data = say("really");
    announce(say("really"));
  });
  made.addEventListener("blur", () => {
    delete made.dataset.asked;
    made.firstChild.data = label;
  });
  return made;
}
