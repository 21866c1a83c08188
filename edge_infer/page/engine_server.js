// What answers: the service that this page came from. Content is sent, never a name; a token stays in memory.

import { answerLines, EngineError, isAnswer, refusal } from "./engine_server_lines.js";

const LONGEST_WAIT_S = 30;
const MOST_WAITED_S = 120;
const MOST_LOST = 2;
let token = "";
let mostBytes = Infinity;

/** Use this token from now on; nothing of it is stored. */
export function useToken(value) {
  token = value;
}

/** Return what answers, or throw an EngineError. */
export async function openEngine() {
  const response = await asked("v1/model", {});
  if (!response.ok) throw await refusal(response);
  const facts = await response.json();
  mostBytes = facts.limits?.body_bytes ?? Infinity;
  const where = `Files are sent to the service at ${location.host}, which keeps nothing of them.`;
  return { facts, where, classify };
}

async function* classify(file, { onProgress = () => {}, onWait = () => {}, signal } = {}) {
  if (file.size > mostBytes) throw tooLarge(file.size);
  const response = await taken(file, onWait, signal);
  let done = 0;
  onProgress(0, 0);
  try {
    for await (const line of answerLines(response, file.name)) {
      if (line.kind === "progress") onProgress(line.done, line.total);
      else {
        yield line;
        if (!line.scan) onProgress(++done, 0);
      }
    }
  } catch (error) {
    const isCut = error instanceof TypeError || error instanceof SyntaxError;
    throw isCut && !signal?.aborted ? lost("before the answer was complete") : error;
  }
}

// A service whose queue is full says so at once, and when to come again (RFC 9110, section 10.2.3). It may hang up on
// a body that it will not read, so a lost connection is tried again, too: asking twice does no harm.
async function taken(file, onWait, signal) {
  let losses = 0;
  let waited = 0;
  for (;;) {
    const response = await posted(file, signal).catch((error) => {
      if (error.code !== "connection_lost" || ++losses > MOST_LOST) throw error;
      return null;
    });
    if (response && (response.ok || (await isAnswer(response)))) return response;
    if (response && response.status !== 503) throw await refusal(response);
    const seconds = response ? pause(response) : losses;
    waited += seconds;
    if (waited > MOST_WAITED_S) throw await refusal(response);
    await response?.body?.cancel();
    onWait(`${response ? "the service is busy" : "the connection was lost"}: trying again in ${seconds} s`);
    await slept(seconds, signal);
  }
}

function posted(body, signal) {
  const headers = { "Content-Type": "application/octet-stream" };
  return asked("v1/classify?view=1&progress=1", { method: "POST", headers, body, signal });
}

async function asked(path, { headers = {}, signal, ...rest }) {
  const own = { "X-Brain-Edge": "1", ...(token && { Authorization: `Bearer ${token}` }) };
  try {
    return await fetch(path, { headers: { ...headers, ...own }, signal, cache: "no-store", redirect: "error", ...rest });
  } catch (error) {
    if (signal?.aborted) throw error;
    if (rest.body && !(await isReadable(rest.body))) throw new DOMException("", "NotReadableError");
    throw lost("or was never there");
  }
}

function pause(response) {
  const named = Number(response.headers.get("Retry-After") ?? NaN);
  return Math.min(Math.max(Number.isFinite(named) ? named : 2, 1), LONGEST_WAIT_S);
}

function isReadable(file) {
  return file.slice(0, 1).arrayBuffer().then(() => true, () => false);
}

function lost(when) {
  const hint = "See whether brain-serve still runs, and try again. Nothing that was answered is lost.";
  return new EngineError(`the connection to the service was lost, ${when}`, { code: "connection_lost", hint });
}

function tooLarge(bytes) {
  const [found, most] = [bytes, mostBytes].map((one) => `${(one / 2 ** 20).toFixed(1)} MiB`);
  const hint = "Drop fewer files at once, or ask the operator of the service for a higher limit.";
  return new EngineError(`this has ${found}, the service takes at most ${most}`, { code: "input_over_limit", hint });
}

function slept(seconds, signal) {
  return new Promise((done, failed) => {
    const stop = () => (clearTimeout(timer), failed(signal.reason));
    const timer = setTimeout(() => (signal?.removeEventListener("abort", stop), done()), 1000 * seconds);
    signal?.addEventListener("abort", stop, { once: true });
  });
}
