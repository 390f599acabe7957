// What the server put into the page for the scripts: sentences in the reader's language, commands,
// limits of files, who is signed in ('' for nobody).
const given = JSON.parse(document.getElementById("given").textContent);

export const { commands, files: limits, who } = given;
export const language = document.documentElement.lang;

/** Return a sentence, with what stands in braces filled in. */
export function say(name, values = {}) {
  return given.words[name].replace(/\{(\w+)\}/g, (_, key) => values[key]);
}

/** Tell screen readers; what is said last counts. */
export function announce(text) {
  document.getElementById("state").textContent = text;
}

/** Return an element with properties and children. */
export function make(name, properties = {}, ...children) {
  const element = Object.assign(document.createElement(name), properties);
  element.append(...children);
  return element;
}

/** Return a button that looks like a link. */
export function button(label, act, className = "link") {
  const made = make("button", { type: "button", className, textContent: label });
  made.addEventListener("click", act);
  return made;
}

/** Give a file to the browser to be stored. */
export function download(content, name) {
  const url = typeof content === "string" ? content : URL.createObjectURL(content);
  make("a", { href: url, download: name }).click();
  if (url !== content) setTimeout(() => URL.revokeObjectURL(url), 10000);
}

/** Copy a text; returns whether it worked. */
export async function copy(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    // Without HTTPS, or within a page that does not allow it: the old way.
    const focused = document.activeElement;
    const field = document.body.appendChild(make("textarea", { value: text, className: "visually-hidden" }));
    field.select();
    const worked = document.execCommand("copy");
    field.remove();
    focused?.focus();
    return worked;
  }
}

/** A button that copies what `text` returns, and says so. */
export function copyButton(label, text) {
  const made = button(label, async () => {
    const said = say((await copy(text())) ? "copied" : "not_copied");
    made.textContent = said;
    announce(said);
    setTimeout(() => (made.textContent = label), 2000);
  });
  return made;
}
