// The list of commands that opens with "/": the keyboard stays in the field (ARIA's combobox).
import { announce, commands, make, say } from "./words.js";

/**
 * @param {HTMLTextAreaElement} field where the question is written
 * @param {HTMLElement} box the list, empty
 * @returns {(event: KeyboardEvent) => boolean} takes the field's keys; whether one was the list's
 */
export function commandList(field, box) {
  let shown = [];
  let at = -1;

  function open() {
    const typed = field.value;
    shown = /^\/\S*$/.test(typed) ? commands.filter(({ command }) => command.startsWith(typed.toLowerCase())) : [];
    at = shown.length ? 0 : -1;
    box.replaceChildren(...shown.map(({ command, takes, about }, index) => {
      const item = make("li", { id: `command-${index}`, role: "option" },
        make("b", { textContent: command }), " ", make("span", { className: "takes", textContent: takes }), " ",
        make("span", { textContent: about }));
      item.addEventListener("pointerdown", (event) => event.preventDefault()); // the field keeps the focus
      item.addEventListener("click", () => pick(index));
      return item;
    }));
    mark();
    if (shown.length) announce(say("commands_shown", { number: shown.length }));
  }

  function mark() {
    box.hidden = !shown.length;
    [...box.children].forEach((item, index) => {
      item.ariaSelected = String(index === at);
      if (index === at) item.scrollIntoView({ block: "nearest" });
    });
    if (at < 0) field.removeAttribute("aria-activedescendant");
    else field.setAttribute("aria-activedescendant", `command-${at}`);
  }

  function close() {
    shown = [];
    at = -1;
    mark();
  }

  function pick(index) {
    field.value = `${shown[index].command} `;
    close();
    field.focus();
    field.setSelectionRange(field.value.length, field.value.length);
  }

  field.addEventListener("input", open);
  field.addEventListener("blur", close);
  return (event) => {
    if (!shown.length || event.isComposing) return false;
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step) {
      at = (at + step + shown.length) % shown.length;
      mark();
    } else if (event.key === "Escape") {
      close();
    } else if (event.key === "Enter" && field.value === shown[at].command) {
      close(); // written out already: it is sent
      return false;
    } else if ((event.key === "Enter" || event.key === "Tab") && !event.shiftKey) {
      pick(at);
    } else {
      return false;
    }
    event.preventDefault();
    event.stopPropagation();
    return true;
  };
}
