// Conversations: in this tab alone, or in this browser if its reader wishes so. Never on a server.
import { say, who } from "./words.js";

const TAB = `sayso-chat:${who}`; // who signs in after another does not see their conversation
const WISH = "sayso-keep";
const KEPT = "sayso-talk:";
const SENT = 12; // messages that go along as the conversation so far
const LONGEST_TITLE = 80;
const PICTURE = /!\[([^\]]*)\]\(data:[^)]*\)/g;
const CHART = /^([ \t]*)(`{3,}|~{3,})[ \t]*vega-?lite[^\n]*\n[\s\S]*?(?:^[ \t]*\2[`~]*[ \t]*$|$(?![\s\S]))/gim;

function store(name) {
  try {
    return globalThis[name];
  } catch {
    return null; // forbidden, as within another site's page
  }
}

function read(name, key) {
  try {
    return JSON.parse(store(name)?.getItem(key) ?? "null");
  } catch {
    return null;
  }
}

function write(name, key, value) {
  try {
    store(name)?.setItem(key, JSON.stringify(value));
    return true;
  } catch {
    return false;
  }
}

function erase(name, key) {
  store(name)?.removeItem(key);
}

/** A new conversation: messages are {role, content, sources?, note?, files?}. */
export function begin() {
  return { id: crypto.getRandomValues(new Uint32Array(2)).join("-"), title: "", at: Date.now(), messages: [] };
}

function checked(talk) {
  return Array.isArray(talk?.messages) && talk.id ? talk : null;
}

/** Whether conversations are kept in this browser. */
export function keeping() {
  return read("localStorage", WISH) === true;
}

/** The conversation that this tab was in, or a new one. */
export function recall() {
  const own = read("sessionStorage", TAB);
  if (keeping() && own?.id) return open(own.id) ?? begin();
  return checked(own) ?? begin();
}

/** Return a conversation that is kept in this browser, if it still is. */
export function open(id) {
  return checked(read("localStorage", KEPT + id));
}

/** Keep a conversation where it is to be kept; one that is too long without its pictures. */
export function remember(talk) {
  const put = (whole) =>
    keeping()
      ? write("localStorage", KEPT + talk.id, whole) && write("sessionStorage", TAB, { id: talk.id })
      : write("sessionStorage", TAB, whole);
  // Where even that does not fit, or storing is forbidden, it lasts as long as the page.
  return put(talk) || put({ ...talk, messages: talk.messages.map((message) => ({ ...message, content: lighter(message.content) })) });
}

/** Begin another one in this tab; what is kept in the browser stays. */
export function leave() {
  erase("sessionStorage", TAB);
}

/** The conversations of this browser, newest first. */
export function list() {
  const all = store("localStorage");
  const keys = all ? Object.keys(all).filter((key) => key.startsWith(KEPT)) : [];
  return keys.map((key) => checked(read("localStorage", key))).filter(Boolean).sort((a, b) => b.at - a.at);
}

export function rename(id, title) {
  const talk = open(id);
  if (talk) write("localStorage", KEPT + id, { ...talk, title });
}

export function forget(id) {
  erase("localStorage", KEPT + id);
}

/** Begin or end keeping conversations in this browser; ending it deletes those that are kept. */
export function keep(wish, talk) {
  if (wish) {
    write("localStorage", WISH, true);
  } else {
    for (const { id } of list()) forget(id);
    erase("localStorage", WISH);
  }
  if (talk.messages.length) remember(talk);
}

export function title(talk) {
  const first = talk.messages.find(({ role }) => role === "user")?.content ?? "";
  return talk.title || first.trim().split("\n")[0].slice(0, LONGEST_TITLE) || say("untitled");
}

/** An answer's text without its pictures and charts, which are of no use to the model. */
export function lighter(text) {
  return text.replace(PICTURE, (_, alt) => `[${alt}]`).replace(CHART, "$1[chart]");
}

/**
 * The conversation as the server takes it.
 * @param {object[]} messages
 * @param {Map<string, {name: string, data: string}>} uploads files that are still in memory
 */
export function outgoing(messages, uploads) {
  return messages
    // What was refused would be again.
    .filter(({ content, files }, at) => (content || files?.length) && messages[at + 1]?.note !== "refused")
    .slice(-SENT)
    .map(({ role, content, files = [] }) => {
      if (role === "assistant") return { role, content: lighter(content) };
      const sent = files.map(({ id }) => uploads.get(id)).filter(Boolean);
      if (!sent.length) return { role, content };
      const parts = sent.map(({ name, data }) => ({ type: "file", file: { filename: name, file_data: data } }));
      return { role, content: [...parts, { type: "text", text: content }] };
    });
}

/** A conversation as Markdown, to be stored as a file. */
export function asMarkdown(talk) {
  const turns = talk.messages.map(({ role, content, files = [], sources = [] }) => {
    const lines = [`## ${say(role === "user" ? "you" : "assistant")}`, content];
    for (const { name } of files) lines.push(`- ${name}`);
    if (sources.length) {
      lines.push(`${say("sources")}:`, sources.map(({ handle, service, date, link }) =>
        `- @${handle.replace(/^@/, "")}, ${service}, ${date.slice(0, 10)}${link ? `, <${link}>` : ""}`).join("\n"));
    }
    return lines.filter(Boolean).join("\n\n");
  });
  return `# ${title(talk)}\n\n${turns.join("\n\n")}\n`;
}
