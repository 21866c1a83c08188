// What answers where no server does: onnxruntime-web, in a worker of this page. Files never leave the machine.

const WHERE = "Files stay on this machine: this page reads and classifies them itself, and sends nothing.";
const TAKES = "JPEG and PNG images, or folders of them. For DICOM, NIfTI and series use brain-serve.";

/** Why there is no answer. */
export class EngineError extends Error {
  constructor({ code = "", message, hint = "" }) {
    super(message);
    Object.assign(this, { code, hint, status: 0 });
  }
}

let opened = null;

/** Verify the files, open the graph and ask it for its known answers, once; or throw an EngineError. */
export function openEngine() {
  opened ??= open().catch((error) => {
    opened = null; // the next call tries again
    throw error;
  });
  return opened;
}

async function open() {
  const calls = new Calls(new URL("engine/worker.js", import.meta.url));
  const facts = await calls.ask(0, {});
  return { facts, where: WHERE, takes: TAKES, classify: (file, options) => classify(calls, file, options) };
}

async function* classify(calls, file, { onProgress = () => {}, signal } = {}) {
  signal?.throwIfAborted();
  onProgress(0, 1);
  const line = await untilAborted(calls.ask(calls.next(), { file, source: file.name || "<bytes>" }), signal);
  yield line;
  onProgress(1, 1);
}

function untilAborted(promise, signal) {
  if (!signal) return promise;
  return new Promise((resolve, reject) => {
    const stop = () => reject(signal.reason);
    signal.addEventListener("abort", stop, { once: true });
    promise.then(resolve, reject).finally(() => signal.removeEventListener("abort", stop));
  });
}

/** Questions to the worker, each with a number of its own; 0 opens it. */
class Calls {
  #worker;
  #waiting = new Map();
  #count = 0;
  #broken = null;

  constructor(url) {
    // From a blob: only such a worker is bound by this page's policy, which lets it fetch nothing but this folder.
    const start = new Blob([`import ${JSON.stringify(url.href)};`], { type: "text/javascript" });
    this.#worker = new Worker(URL.createObjectURL(start), { type: "module" });
    this.#worker.onmessage = ({ data }) => this.#answered(data);
    this.#worker.onerror = () => this.#stopped();
    this.#worker.onmessageerror = () => this.#stopped();
  }

  next() {
    return ++this.#count;
  }

  ask(id, question) {
    if (this.#broken) return Promise.reject(this.#broken);
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, { resolve, reject });
      this.#worker.postMessage({ id, ...question });
    });
  }

  #answered({ id, value, error }) {
    if (value === undefined && !error) return; // how far reading the folder is
    const { resolve, reject } = this.#waiting.get(id) ?? {};
    this.#waiting.delete(id);
    if (error) reject?.(new EngineError(error));
    else resolve?.(value);
  }

  #stopped() {
    this.#worker.terminate();
    this.#broken = new EngineError({
      code: "inference_failed",
      message: "the part of this page that computes has stopped, or could not be started",
      hint: "reload the page; if it stays so, the browser is too old or its memory is full",
    });
    for (const { reject } of this.#waiting.values()) reject(this.#broken);
    this.#waiting.clear();
  }
}
