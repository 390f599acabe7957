// Blocks of code: what language it is, its colours, copying, and running Python.
import { button, copyButton, make, say } from "./words.js";

const NAMES = {
  bash: "Bash", c: "C", cpp: "C++", css: "CSS", diff: "Diff", go: "Go", java: "Java", javascript: "JavaScript",
  json: "JSON", markdown: "Markdown", python: "Python", r: "R", rust: "Rust", sql: "SQL", typescript: "TypeScript",
  xml: "XML", yaml: "YAML",
};
const ALIASES = {
  sh: "bash", shell: "bash", zsh: "bash", "c++": "cpp", js: "javascript", mjs: "javascript", md: "markdown",
  py: "python", python3: "python", ts: "typescript", html: "xml", svg: "xml", yml: "yaml", jsonl: "json",
};
const LONGEST = 50000; // characters that are coloured

/**
 * @param {string} text the code
 * @param {string} info what stands behind the fence, whose first word is the language
 * @param {boolean} open whether more of it is to come
 */
export function codeBlock(text, info, open) {
  const said = info.split(/[\s{,]/)[0].toLowerCase();
  if (said === "vega-lite" || said === "vegalite") return chart(text, open);
  const language = Object.hasOwn(ALIASES, said) ? ALIASES[said] : said;
  const known = Object.hasOwn(NAMES, language);
  const name = known ? (said === "html" ? "HTML" : NAMES[language]) : said;
  const code = make("code", { textContent: text });
  const block = make("pre", { tabIndex: 0 }, code); // long lines are scrolled by keyboard, too
  const head = make("figcaption", {}, make("span", { className: "language", textContent: name || say("code") }));
  if (!open) {
    if (language === "python") {
      head.append(button(say("run"), () => block.dispatchEvent(new CustomEvent("run", { bubbles: true, detail: text }))));
    }
    head.append(copyButton(say("copy"), () => text));
    if (known && text.length <= LONGEST) colour(code, text, language);
  }
  return make("figure", { className: "code" }, head, block);
}

function chart(text, open) {
  const figure = make("figure", { className: "chart" });
  if (open) {
    figure.append(make("p", { className: "fine", textContent: say("chart_coming") }));
    return figure;
  }
  import("./charts.js")
    .then(({ draw }) => draw(figure, text))
    .catch(() => figure.replaceChildren(
      make("p", { className: "fine", textContent: say("chart_failed") }), codeBlock(text, "json", false),
    ));
  return figure;
}

async function colour(code, text, language) {
  const { default: highlighter } = await import("../vendor/highlight/core.js");
  if (!highlighter.getLanguage(language)) {
    const { default: grammar } = await import(`../vendor/highlight/${language}.js`);
    highlighter.registerLanguage(language, grammar);
  }
  // The tree, not the markup that the library would make of it.
  const { _emitter: tree } = highlighter.highlight(text, { language, ignoreIllegals: true });
  code.replaceChildren(...tree.rootNode.children.map(node));
}

function node(part) {
  if (typeof part === "string") return part;
  const className = part.scope ? `hl-${part.scope.split(".")[0]}` : "";
  return make("span", { className }, ...part.children.map(node));
}
