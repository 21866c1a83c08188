// Answers of the service as they come: one JSON object a line, with its view unpacked; and what it refuses, in words.

const NO_NAME = /^<[a-z]+>/;
const WORDS = {
  401: ["the service asks for a token", "Enter the token that its operator gave you."],
  403: ["the service refuses requests from this page", "Open the page at the service's own address."],
  404: ["the service does not know this address", "A proxy between the two may change it."],
  413: ["this is larger than the service takes", "Send fewer files at once, or ask its operator for a higher limit."],
  503: ["the service is busy", "Try again in a while."],
  504: ["the service did not answer in time", "Try again, or send fewer slices at once."],
};

/** Why there is no answer. */
export class EngineError extends Error {
  constructor(message, { code = "", hint = "", status = 0 } = {}) {
    super(message);
    Object.assign(this, { code, hint, status });
  }
}

/** Whether a response that is not ok is an answer all the same: the line of a file that could not be read. */
export async function isAnswer(response) {
  const body = await response.clone().json().catch(() => null);
  return body?.status === "error";
}

/** Return the error that a response tells; a proxy's may be any text. */
export async function refusal(response) {
  const { status } = response;
  const told = await response.json().then((body) => body.error ?? {}, () => ({}));
  const [message, hint] = WORDS[status] ?? [`the service answered with status ${status}`, ""];
  return new EngineError(told.message || message, { code: told.code, hint: told.hint || hint, status });
}

/**
 * Yield the lines of an answer, each as soon as it is there.
 * @param {Response} response
 * @param {string} name of what was sent, which the service never learns
 */
export async function* answerLines(response, name) {
  for await (const text of textLines(response.body)) {
    const line = JSON.parse(text);
    if (!line.status && line.error) throw new EngineError(line.error.message, line.error);
    yield named(line.view ? { ...line, view: unpacked(line.view) } : line, name);
  }
}

async function* textLines(body) {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  let parts = [];
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) break;
      const [first, ...more] = value.split("\n");
      parts.push(first);
      for (const next of more) {
        const whole = parts.join("");
        parts = [next];
        if (whole.trim()) yield whole;
      }
    }
    const last = parts.join("");
    if (last.trim()) yield last;
  } finally {
    reader.cancel().catch(() => {});
  }
}

function named(line, name) {
  const withName = (text) => text?.replace(NO_NAME, () => name);
  const error = line.error && { ...line.error, message: withName(line.error.message) };
  return { ...line, source: withName(line.source), ...(error && { error }) };
}

function unpacked({ width, height, image, evidence }) {
  const data = evidence && new DataView(bytesOf(evidence.data).buffer);
  return {
    width,
    height,
    image: new Blob([bytesOf(image)], { type: "image/png" }),
    evidence: evidence && {
      shape: evidence.shape,
      data: Float32Array.from({ length: data.byteLength / 4 }, (_, i) => data.getFloat32(4 * i, true)),
    },
  };
}

function bytesOf(base64) {
  return Uint8Array.from(atob(base64), (one) => one.charCodeAt(0));
}
