// The chat page: asks, shows the answer as it comes, and puts its parts together.
import { commandList } from "./chat/commands.js";
import { tray, uploads } from "./chat/files.js";
import { history } from "./chat/history.js";
import * as talks from "./chat/talk.js";
import * as turns from "./chat/turns.js";
import { announce, say } from "./chat/words.js";
import { ask, AnswerError } from "./stream.js";

const get = (id) => document.getElementById(id);
const chat = get("chat"), log = get("log"), form = get("ask"), field = get("question"), picker = get("picker");
const BUSY_SHARE = 4; // while an answer comes, drawing it takes at most a fifth of the time
const touch = matchMedia("(hover: none) and (pointer: coarse)");

let talk = talks.recall();
let running = null; // the AbortController of the answer being written
let editing = -1; // which message the question in the field replaces

const files = tray({ chips: get("chips"), problem: get("file-problem"), after: settle });
const takesKey = commandList(field, get("commands"));
const openHistory = get("history") && history(get("history"), { current: () => talk, show, changed: settle });

/** Bring buttons and welcome in line with what goes on. */
function settle() {
  const begun = log.childElementCount > 0;
  const writing = running !== null;
  get("welcome").hidden = begun;
  get("topic").hidden = !begun;
  get("clear").hidden = !talk.messages.length || writing;
  get("send").hidden = writing;
  get("stop").hidden = !writing;
  get("editing").hidden = editing < 0;
  get("privacy").textContent = say(openHistory && talks.keeping() ? "kept_here" : "kept_in_tab");
  field.required = !files?.size;
  const asked = [...log.querySelectorAll(".asked")].at(-1);
  for (const turn of log.children) {
    const newest = turn === log.lastElementChild;
    const tools = turn.querySelector(".tools");
    if (!tools) continue; // made by the server
    tools.hidden = writing && newest;
    const once = turn.querySelector(turn.matches(".asked") ? ".tools" : ".retry");
    if (once) once.hidden = writing || !(newest || turn === asked);
    turn.classList.toggle("replaced", editing >= 0 && [...log.children].indexOf(turn) >= editing);
  }
}

function showQuestion(message) {
  const turn = turns.question(message, { edit });
  log.append(turn);
  return turn;
}

function showAnswer(message, done) {
  const translate = ({ content }) => question(`/translate ${say("language")}: ${talks.lighter(content)}`);
  const turn = turns.answer(message, { retry, translate });
  log.append(turn);
  turns.fill(turn, message, done);
  return turn;
}

/** Show a conversation instead of the one that is shown. */
function show(other) {
  running?.abort();
  running = null;
  talk = other;
  editing = -1;
  uploads.clear();
  files.take();
  announce("");
  if (talk.messages.length) talks.remember(talk);
  else talks.leave();
  // The page was left while an answer was being written.
  if (talk.messages.at(-1)?.role === "user") {
    talk.messages.push({ role: "assistant", content: "", note: "stopped" });
  }
  log.replaceChildren();
  for (const message of talk.messages) {
    if (message.role === "user") showQuestion(message);
    else showAnswer(message, true);
  }
  settle();
  scrollTo({ top: talk.messages.length ? document.documentElement.scrollHeight : 0 });
}

function atEnd() {
  return innerHeight + scrollY >= document.documentElement.scrollHeight - 80;
}

function following(change) {
  const follow = atEnd();
  change();
  if (follow) scrollToEnd();
}

function scrollToEnd() {
  scrollTo({ top: document.documentElement.scrollHeight });
}

async function answer() {
  const own = talk;
  const messages = talks.outgoing(own.messages, uploads);
  const message = { role: "assistant", content: "" };
  const turn = showAnswer(message, false);
  const control = (running = new AbortController());
  turn.classList.add("writing");
  log.ariaBusy = "true";
  announce(say("writing"));
  settle();
  scrollToEnd();
  let waits = false;
  const draw = () => {
    const begun = performance.now();
    if (!message.note) following(() => turns.fill(turn, message, false));
    setTimeout(() => (waits = false), BUSY_SHARE * (performance.now() - begun));
  };
  try {
    for await (const chunk of ask(messages, control.signal)) {
      message.sources ??= chunk.sayso?.sources;
      message.content += chunk.choices[0]?.delta.content ?? "";
      if (!waits) {
        waits = true;
        requestAnimationFrame(draw);
      }
    }
  } catch (error) {
    message.note = error.name === "AbortError" ? "stopped" : error instanceof AnswerError ? error.kind : "failed";
    if (error.reason) message.reason = error.reason;
  }
  turn.classList.remove("writing");
  log.ariaBusy = "false";
  if (running === control) running = null;
  if (own !== talk) return; // another conversation is shown by now
  own.messages.push(message);
  own.at = Date.now();
  talks.remember(own);
  following(() => turns.fill(turn, message, true));
  // Screen readers get the whole answer once, not each of its words again and again.
  announce(turns.spoken(turn));
  following(settle);
}

/** Ask what was written, and the files with it. */
function question(text) {
  const words = text.trim();
  if (running || !(words || files.size)) return;
  if (editing >= 0) {
    talk.messages.length = editing;
    while (log.childElementCount > editing) log.lastElementChild.remove();
    editing = -1;
  }
  if (!talk.messages.length) log.replaceChildren();
  const taken = files.take();
  talk.messages.push({ role: "user", content: words, ...(taken.length ? { files: taken } : {}) });
  talks.remember(talk);
  showQuestion(talk.messages.at(-1));
  answer();
}

function send() {
  const text = field.value;
  if (running || !(text.trim() || files.size)) return;
  field.value = "";
  if (!touch.matches) field.focus();
  question(text);
}

function retry() {
  if (running) return;
  talk.messages.pop();
  log.lastElementChild.remove();
  field.focus();
  answer();
}

/** Take the last question back into the field. */
function edit() {
  const last = talk.messages.findLastIndex(({ role }) => role === "user");
  if (running || last < 0) return;
  editing = last;
  field.value = talk.messages[last].content;
  files.put(talk.messages[last].files ?? []);
  settle();
  announce(say("editing"));
  field.focus();
}

function leaveEditing() {
  editing = -1;
  field.value = "";
  files.put([]);
  settle();
  field.focus();
}

form.addEventListener("submit", (event) => {
  event.preventDefault();
  send();
});
get("examples").addEventListener("submit", (event) => {
  event.preventDefault();
  question(event.submitter.value);
});
log.addEventListener("run", ({ detail }) => question(`/run\n\`\`\`python\n${detail}\n\`\`\``));
field.addEventListener("keydown", (event) => {
  if (takesKey(event)) return;
  if (event.key === "Enter" && !event.shiftKey && !event.isComposing && !touch.matches) {
    event.preventDefault();
    form.requestSubmit();
  } else if (event.key === "ArrowUp" && !field.value && !files.size && talk.messages.length) {
    event.preventDefault();
    edit();
  }
});
addEventListener("keydown", (event) => {
  if (event.key === "/" && (event.ctrlKey || event.metaKey)) {
    event.preventDefault();
    get("keys").showModal();
  }
  if (event.key !== "Escape" || event.defaultPrevented || document.querySelector("dialog[open]")) return;
  if (running) running.abort();
  else if (editing >= 0) leaveEditing();
  else chat.dispatchEvent(new CustomEvent("leave", { bubbles: true })); // the widget closes
});
get("stop").addEventListener("click", () => {
  running?.abort();
  field.focus();
});
get("clear").addEventListener("click", () => {
  show(talks.begin());
  field.focus();
});
get("leave-editing").addEventListener("click", leaveEditing);
get("slash").addEventListener("click", () => {
  if (!field.value) field.value = "/";
  field.focus();
  field.dispatchEvent(new Event("input"));
});
get("attach").addEventListener("click", () => picker.click());
picker.addEventListener("change", async () => {
  await files.add(picker.files);
  picker.value = "";
  field.focus();
});
field.addEventListener("paste", (event) => {
  if (!event.clipboardData.files.length) return;
  event.preventDefault();
  files.add(event.clipboardData.files);
});
const brings = ({ dataTransfer }) => dataTransfer?.types.includes("Files");
addEventListener("dragover", (event) => {
  if (!brings(event)) return;
  event.preventDefault();
  chat.classList.add("dropping");
});
addEventListener("dragleave", ({ relatedTarget }) => {
  if (!relatedTarget) chat.classList.remove("dropping");
});
addEventListener("drop", (event) => {
  if (!brings(event)) return;
  event.preventDefault();
  chat.classList.remove("dropping");
  files.add(event.dataTransfer.files);
});
get("show-history")?.addEventListener("click", openHistory);
get("show-keys").addEventListener("click", () => get("keys").showModal());
const end = new IntersectionObserver(([{ isIntersecting }]) => {
  get("to-end").hidden = isIntersecting || !talk.messages.length;
}, { rootMargin: "0px 0px 40px" });
end.observe(get("end"));
get("to-end").addEventListener("click", () => {
  scrollToEnd();
  field.focus({ preventScroll: true });
});

for (const element of document.querySelectorAll("[data-scripted]")) element.hidden = false;
// An answer that the plain form brought, before this ran, stays until the next question.
if (log.childElementCount && !talk.messages.length) settle();
else show(talk);
