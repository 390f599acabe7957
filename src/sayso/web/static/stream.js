// Reads a chat completion as it is written (server-sent events).

/** An answer that did not come: `kind` is busy, sign_in, refused (`reason` says why) or failed. */
export class AnswerError extends Error {
  constructor(kind, reason = "") {
    super(kind);
    this.kind = kind;
    this.reason = reason;
  }
}

/**
 * Ask, and yield the chunks of the answer.
 * @param {{role: string, content: string | object[]}[]} messages the conversation so far
 * @param {AbortSignal} signal ends the reading, and with it the writing on the server
 */
export async function* ask(messages, signal) {
  const response = await fetch("/v1/chat/completions", {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({ model: "sayso", messages, stream: true, sayso: { cite: "separate" } }),
    signal,
  });
  if (!response.ok) throw await refusal(response);
  let complete = false;
  for await (const data of events(response.body)) {
    if (data === "[DONE]") {
      complete = true;
      break;
    }
    const chunk = JSON.parse(data);
    if (chunk.error) throw new AnswerError("failed");
    yield chunk;
  }
  if (!complete) throw new AnswerError("failed");
}

async function refusal(response) {
  if (response.status === 429) return new AnswerError("busy");
  if (response.status === 401) return new AnswerError("sign_in");
  if (![400, 413, 415, 422].includes(response.status)) return new AnswerError("failed");
  const said = await response.json().catch(() => null);
  // Which field of the request it was about is of no use to its reader.
  return new AnswerError("refused", (said?.error?.message ?? "").replace(/^`[^`]*`: /, ""));
}

async function* events(body) {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  let buffer = "";
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return;
    buffer += value;
    const parts = buffer.split("\n\n");
    buffer = parts.pop();
    for (const part of parts) {
      if (part.startsWith("data: ")) yield part.slice(6);
    }
  }
}
