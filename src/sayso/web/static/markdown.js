// Markdown as DOM nodes. markdown-it reads it (CommonMark, tables), the elements are made here, of
// the kinds below alone: text only ever becomes text nodes, so nothing in it can be markup.
import MarkdownIt from "./vendor/markdown-it.js";
import { codeBlock } from "./chat/code.js";
import { picture } from "./chat/pictures.js";
import { make, say } from "./chat/words.js";

const BLOCKS = new Set(["p", "ul", "ol", "li", "blockquote", "th", "td", "h3", "h4", "h5", "h6"]);
const PLAIN = new Set([...BLOCKS, "table", "thead", "tbody", "tr", "strong", "em", "s"]);
const SAFE = new Set(["http:", "https:", "mailto:"]);
const COMING = /!\[[^\]]*\]\(data:[^)]*$/; // a picture whose end has not come yet

const parser = new MarkdownIt({ html: false, linkify: true, maxNesting: 24 });
parser.linkify.set({ fuzzyLink: false, fuzzyEmail: false });

/**
 * Bring an element in line with a text. Blocks that did not change stay as they are, so that what
 * is selected, unfolded or drawn in them stays, too, while the text is still coming.
 * @param {HTMLElement} element whose children are the text's blocks
 * @param {string} text Markdown
 * @param {{done?: boolean}} options `done`: no more is to come
 */
export function render(element, text, { done = true } = {}) {
  const source = (done ? text : text.replace(COMING, `*${say("picture_coming")}*`)).replace(/\r\n?/g, "\n");
  const blocks = split(parser.parse(source, {}), source.split("\n"), done);
  const known = element.blocks ?? [];
  let same = 0;
  while (same < known.length && same < blocks.length && known[same] === blocks[same].key) same += 1;
  while (element.childNodes.length > same) element.lastChild.remove();
  for (const { tokens } of blocks.slice(same)) element.append(build(tokens, document.createDocumentFragment()));
  element.blocks = blocks.map(({ key }) => key);
}

function split(tokens, lines, done) {
  const blocks = [];
  const outline = [];
  for (const token of tokens) {
    if (token.type === "heading_open") token.tag = `h${heading(Number(token.tag[1]), outline)}`;
    if (token.type === "fence") token.open = !done && !closed(token);
    if (token.level === 0 && token.nesting !== -1) {
      blocks.push({ tokens: [], key: `${token.tag} ${lines.slice(...token.map).join("\n")}` });
    }
    blocks.at(-1).tokens.push(token);
    if (token.open) blocks.at(-1).key += "\0";
  }
  return blocks;
}

// Headings stand below the turn's own (h2), and never skip a level.
function heading(level, outline) {
  while (outline.length && outline.at(-1) >= level) outline.pop();
  outline.push(level);
  return Math.min(outline.length + 2, 6);
}

function closed({ map: [from, to], content }) {
  return to - from === content.split("\n").length + 1;
}

function build(tokens, root) {
  const outer = [];
  let at = root;
  for (const token of tokens) {
    if (token.nesting === 1) {
      outer.push(at);
      // The paragraph of a tight list's item.
      if (!token.hidden) at = open(token, at);
    } else if (token.nesting === -1) {
      at = outer.pop();
    } else {
      leaf(token, at);
    }
  }
  return root;
}

function open(token, parent) {
  if (token.tag === "a") return parent.appendChild(link(token.attrGet("href")));
  const element = make(PLAIN.has(token.tag) ? token.tag : "span");
  if (BLOCKS.has(token.tag)) element.dir = "auto";
  if (token.tag === "ol" && token.attrGet("start")) element.start = Number(token.attrGet("start"));
  if (/^t[hd]$/.test(token.tag)) element.style.textAlign = token.attrGet("style")?.split(":")[1] ?? "";
  if (token.tag !== "table") return parent.appendChild(element);
  // Wide tables are scrolled, by keyboard, too.
  const frame = make("div", { className: "scroll", tabIndex: 0, role: "group", ariaLabel: say("table") }, element);
  parent.append(frame);
  return element;
}

function leaf(token, parent) {
  switch (token.type) {
    case "inline":
      build(token.children, parent);
      break;
    case "softbreak":
      parent.append("\n");
      break;
    case "hardbreak":
      parent.append(make("br"));
      break;
    case "hr":
      parent.append(make("hr"));
      break;
    case "code_inline":
      parent.append(make("code", { textContent: token.content }));
      break;
    case "fence":
    case "code_block":
      parent.append(codeBlock(token.content.replace(/\n$/, ""), token.info.trim(), token.open));
      break;
    case "image":
      parent.append(image(token.attrGet("src"), token.content));
      break;
    default:
      parent.append(token.content);
  }
}

function image(source, alt) {
  if (source.startsWith("data:image/")) return picture(source, alt);
  // A picture from elsewhere would tell its host who reads this.
  const made = link(source);
  made.append(alt || source);
  return made;
}

/** Return a link, or a plain element where it leads nowhere good. */
export function link(href) {
  let url;
  try {
    url = new URL(href, location.origin);
  } catch {
    return make("span");
  }
  if (!SAFE.has(url.protocol)) return make("span");
  return make("a", { href: url.href, target: "_blank", rel: "noopener noreferrer nofollow" });
}
