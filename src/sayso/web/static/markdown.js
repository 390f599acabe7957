// A small part of Markdown as DOM nodes: paragraphs, headings, lists, quotes, bold, italic, code.
// Text only ever becomes text nodes, so nothing in it can be markup; links stay plain text.

const FENCE = /^\s{0,3}(`{3,}|~{3,})\s*[\w+#.-]*\s*$/;
const ITEM = /^\s*(?:([-*+])|(\d{1,9})[.)])\s+(.*)$/;
const HEADING = /^\s{0,3}#{1,6}\s+(.*?)\s*#*\s*$/;
const QUOTE = /^\s{0,3}>\s?(.*)$/;
const SPAN = /(`+)([^`]|[^`][\s\S]*?[^`])\1(?!`)|(\*\*|__)(?=\S)([\s\S]*?\S)\3|(?<![\w*])(\*|_)(?=[^\s*_])([\s\S]*?[^\s*_])\5(?![\w*])/g;
const DEEPEST = 8;

/** Return a fragment with the text's blocks. */
export function render(text) {
  const fragment = document.createDocumentFragment();
  blocks(text.replace(/\r\n?/g, "\n").split("\n"), fragment, 0);
  return fragment;
}

function blocks(lines, parent, depth) {
  let at = 0;
  while (at < lines.length) {
    const line = lines[at];
    const fence = line.match(FENCE);
    const heading = line.match(HEADING);
    if (!line.trim()) {
      at += 1;
    } else if (fence) {
      at = code(lines, at + 1, fence[1], parent);
    } else if (heading) {
      const element = append(parent, "h3");
      spans(heading[1], element, 0);
      at += 1;
    } else if (ITEM.test(line)) {
      at = list(lines, at, parent);
    } else if (QUOTE.test(line) && depth < DEEPEST) {
      const from = at;
      while (at < lines.length && QUOTE.test(lines[at])) at += 1;
      const inner = lines.slice(from, at).map((quoted) => quoted.match(QUOTE)[1]);
      blocks(inner, append(parent, "blockquote"), depth + 1);
    } else {
      at = paragraph(lines, at, parent);
    }
  }
}

function code(lines, from, mark, parent) {
  let end = from;
  // A fence that is not closed (yet) reaches to the end: the answer may still be coming.
  while (end < lines.length && !closes(lines[end], mark)) end += 1;
  const block = append(parent, "pre");
  block.tabIndex = 0; // long lines are scrolled by keyboard, too
  append(block, "code").textContent = lines.slice(from, end).join("\n");
  return end + 1;
}

function closes(line, mark) {
  const bare = line.trim();
  return bare.length >= mark.length && bare === mark[0].repeat(bare.length);
}

function list(lines, at, parent) {
  const first = lines[at].match(ITEM);
  const ordered = first[2] !== undefined;
  const element = append(parent, ordered ? "ol" : "ul");
  if (ordered && first[2] !== "1") element.start = Number(first[2]);
  while (at < lines.length) {
    const item = lines[at].match(ITEM);
    if (!item || (item[2] !== undefined) !== ordered) break;
    const words = [item[3]];
    at += 1;
    while (at < lines.length && lines[at].trim() && !begins(lines[at])) {
      words.push(lines[at].trim());
      at += 1;
    }
    spans(words.join("\n"), append(element, "li"), 0);
    // One blank line between items does not end the list.
    if (at + 1 < lines.length && !lines[at].trim() && ITEM.test(lines[at + 1])) at += 1;
  }
  return at;
}

function begins(line) {
  return FENCE.test(line) || ITEM.test(line) || HEADING.test(line) || QUOTE.test(line);
}

function paragraph(lines, from, parent) {
  let end = from + 1;
  while (end < lines.length && lines[end].trim() && !begins(lines[end])) end += 1;
  spans(lines.slice(from, end).join("\n"), append(parent, "p"), 0);
  return end;
}

function spans(text, parent, depth) {
  let from = 0;
  for (const found of text.matchAll(SPAN)) {
    parent.append(text.slice(from, found.index));
    if (found[1]) {
      append(parent, "code").textContent = found[2];
    } else {
      const element = append(parent, found[3] ? "strong" : "em");
      const inner = found[4] ?? found[6];
      if (depth < DEEPEST) spans(inner, element, depth + 1);
      else element.textContent = inner;
    }
    from = found.index + found[0].length;
  }
  parent.append(text.slice(from));
}

function append(parent, name) {
  return parent.appendChild(document.createElement(name));
}
