// Pictures in answers: only such as the answer itself holds.
import { make, say } from "./words.js";

const KIND = /^data:image\/(png|jpeg|gif|webp);base64,/;

/**
 * @param {string} source a data: URI
 * @param {string} alt what it shows
 */
export function picture(source, alt) {
  const kind = KIND.exec(source)?.[1];
  if (!kind) return make("span", { textContent: alt });
  const name = `${fileName(alt) || "picture"}.${kind === "jpeg" ? "jpg" : kind}`;
  const save = make("a", { href: source, download: name, textContent: say("save_picture") });
  return make("span", { className: "picture" }, make("img", { src: source, alt, decoding: "async" }), save);
}

/** Return a text as the beginning of a file's name. */
export function fileName(text) {
  return text.toLowerCase().replace(/[^\p{L}\p{N}]+/gu, "-").slice(0, 40).replace(/^-|-$/g, "");
}
