// How questions and answers are shown.
import { link, render } from "../markdown.js";
import { chip } from "./files.js";
import { button, copyButton, language, make, say } from "./words.js";

const day = new Intl.DateTimeFormat(language, { dateStyle: "medium" });

function copyOf(id) {
  return document.getElementById(id).content.firstElementChild.cloneNode(true);
}

/** Return the turn of a question. */
export function question(message, { edit }) {
  const turn = copyOf("asked");
  turn.querySelector(".words").textContent = message.content;
  turn.querySelector(".words").hidden = !message.content;
  const chips = turn.querySelector(".chips");
  chips.hidden = !message.files?.length;
  chips.append(...(message.files ?? []).map((file) => make("li", {}, ...chip(file))));
  turn.querySelector(".tools").append(button(say("edit"), edit));
  return turn;
}

/** Return the turn of an answer, to be filled. */
export function answer(message, { retry, translate }) {
  const turn = copyOf("answered");
  const again = button(say("retry"), retry, "link retry");
  turn.querySelector(".tools").append(
    copyButton(say("copy_answer"), () => message.content),
    button(say("translate"), () => translate(message)),
    again,
  );
  return turn;
}

/** Bring an answer's turn in line with its message. */
export function fill(turn, message, done) {
  render(turn.querySelector(".words"), message.content, { done });
  const note = turn.querySelector(".note");
  note.textContent = message.note ? [say(message.note), message.reason].filter(Boolean).join(" ") : "";
  note.hidden = !message.note;
  turn.querySelector(".tools").classList.toggle("empty", !message.content);
  const sources = message.sources ?? [];
  const box = turn.querySelector(".sources");
  if (box.hidden === !sources.length && Number(box.dataset.shown) === sources.length) return;
  box.dataset.shown = sources.length;
  box.hidden = !sources.length;
  turn.querySelector(".count").textContent = sources.length;
  turn.querySelector(".sources ol").replaceChildren(...sources.map(source));
}

/** What screen readers hear of an answer: its words, without buttons and downloads. */
export function spoken(turn) {
  const words = turn.querySelector(".words").cloneNode(true);
  for (const element of words.querySelectorAll("button, a[download], figure.chart")) element.remove();
  for (const image of words.querySelectorAll("img")) image.replaceWith(image.alt);
  const blocks = [...words.children].map((block) => block.textContent);
  return [...blocks, turn.querySelector(".note").textContent].filter(Boolean).join("\n");
}

function source({ handle, service, date, excerpt, language: spoken, link: href }) {
  const item = copyOf("source");
  const at = new Date(date);
  item.querySelector("b").textContent = `@${handle.replace(/^@/, "")}`;
  item.querySelector(".service").textContent = service;
  item.querySelector(".date").textContent = isNaN(at) ? date : day.format(at);
  const quote = item.querySelector("blockquote");
  quote.textContent = excerpt;
  if (spoken) quote.lang = spoken;
  const post = href ? link(href) : null;
  if (post?.href) {
    post.textContent = say("see_post");
    item.querySelector(".cite").append(post);
  }
  return item;
}
