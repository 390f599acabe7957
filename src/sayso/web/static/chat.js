// The chat page: asks, shows the answer as it comes, and remembers the talk in this tab only.
import { render } from "./markdown.js";
import { ask, AnswerError } from "./stream.js";

const STORE = "sayso-chat";
const REMEMBERED = 12; // messages sent along as the conversation so far
const get = (id) => document.getElementById(id);
const chat = get("chat"), log = get("log"), form = get("ask"), field = get("question");
const send = get("send"), stop = get("stop"), clear = get("clear"), state = get("state");
const format = new Intl.DateTimeFormat(document.documentElement.lang, { dateStyle: "medium" });

let talk = recall(); // [{role, content, sources?, note?}]
let running = null; // the AbortController of the answer being written

function recall() {
  try {
    const kept = JSON.parse(sessionStorage.getItem(STORE));
    return Array.isArray(kept) ? kept : [];
  } catch {
    return [];
  }
}

function remember() {
  try {
    sessionStorage.setItem(STORE, JSON.stringify(talk));
  } catch {
    // Storage is full or forbidden: the talk then lasts as long as the page.
  }
}

function copy(id) {
  return get(id).content.firstElementChild.cloneNode(true);
}

function showQuestion(message) {
  const turn = copy("asked");
  turn.querySelector(".words").textContent = message.content;
  log.append(turn);
  return turn;
}

function showAnswer(message) {
  const turn = copy("answered");
  turn.querySelector(".retry").addEventListener("click", retry);
  log.append(turn);
  fill(turn, message);
  return turn;
}

function fill(turn, message) {
  turn.querySelector(".words").replaceChildren(render(message.content));
  const note = turn.querySelector(".note");
  note.textContent = chat.dataset[message.note] ?? "";
  note.hidden = !message.note;
  const sources = message.sources ?? [];
  turn.querySelector(".sources").hidden = !sources.length;
  turn.querySelector(".count").textContent = sources.length;
  turn.querySelector(".sources ol").replaceChildren(...sources.map(source));
}

function source({ handle, service, date, excerpt, language }) {
  const item = copy("source");
  const day = new Date(date);
  item.querySelector("b").textContent = "@" + handle.replace(/^@/, "");
  item.querySelector(".service").textContent = service;
  item.querySelector(".date").textContent = isNaN(day) ? date : format.format(day);
  const quote = item.querySelector("blockquote");
  quote.textContent = excerpt;
  if (language) quote.lang = language;
  return item;
}

/** Bring buttons and welcome in line with what goes on. */
function settle() {
  const begun = log.childElementCount > 0;
  get("welcome").hidden = begun;
  get("topic").hidden = !begun;
  clear.hidden = !talk.length || running !== null;
  send.hidden = running !== null;
  stop.hidden = running === null;
  for (const tools of log.querySelectorAll(".tools")) {
    tools.hidden = running !== null || tools.closest(".turn") !== log.lastElementChild;
  }
}

function atEnd() {
  return innerHeight + scrollY >= document.documentElement.scrollHeight - 80;
}

function scrollToEnd() {
  scrollTo({ top: document.documentElement.scrollHeight });
}

async function answer() {
  const messages = talk.filter(({ content }) => content).slice(-REMEMBERED)
    .map(({ role, content }) => ({ role, content }));
  const message = { role: "assistant", content: "" };
  const turn = showAnswer(message);
  running = new AbortController();
  turn.classList.add("writing");
  state.textContent = chat.dataset.writing;
  settle();
  scrollToEnd();
  let drawn = true;
  const draw = () => {
    const follow = atEnd();
    drawn = true;
    if (!message.note) fill(turn, message);
    if (follow) scrollToEnd();
  };
  try {
    for await (const chunk of ask(messages, running.signal)) {
      message.sources ??= chunk.sayso?.sources;
      message.content += chunk.choices[0]?.delta.content ?? "";
      if (drawn) {
        drawn = false;
        requestAnimationFrame(draw);
      }
    }
  } catch (error) {
    if (error.name === "AbortError") message.note = "stopped";
    else message.note = error instanceof AnswerError && error.busy ? "busy" : "failed";
  }
  running = null;
  turn.classList.remove("writing");
  talk.push(message);
  remember();
  const follow = atEnd();
  fill(turn, message);
  // Screen readers get the whole answer once, not each of its words again and again.
  state.textContent = [turn.querySelector(".words").textContent, chat.dataset[message.note]]
    .filter(Boolean).join(" ");
  settle();
  if (follow) scrollToEnd();
}

function question(text) {
  const words = text.trim();
  if (!words || running) return;
  if (!talk.length) log.replaceChildren();
  talk.push({ role: "user", content: words });
  remember();
  showQuestion(talk.at(-1));
  field.value = "";
  field.focus();
  answer();
}

function retry() {
  if (running) return;
  talk.pop();
  log.lastElementChild.remove();
  field.focus();
  answer();
}

form.addEventListener("submit", (event) => {
  event.preventDefault();
  question(field.value);
});
get("examples").addEventListener("submit", (event) => {
  event.preventDefault();
  question(event.submitter.value);
});
field.addEventListener("keydown", (event) => {
  if (event.key === "Enter" && !event.shiftKey && !event.isComposing) {
    event.preventDefault();
    form.requestSubmit();
  }
});
addEventListener("keydown", (event) => {
  if (event.key === "Escape") running?.abort();
});
stop.addEventListener("click", () => {
  running?.abort();
  field.focus();
});
clear.addEventListener("click", () => {
  talk = [];
  sessionStorage.removeItem(STORE);
  log.replaceChildren();
  state.textContent = "";
  settle();
  field.focus();
});

for (const message of talk) {
  if (message.role === "user") showQuestion(message);
  else showAnswer(message);
}
// The page was left while an answer was being written.
if (talk.at(-1)?.role === "user") {
  talk.push({ role: "assistant", content: "", note: "stopped" });
  showAnswer(talk.at(-1));
}
settle();
if (talk.length) scrollToEnd();
