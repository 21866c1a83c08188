// A worker of brain-edge for a host in Node or Electron: docs/stdio.md. Needs nothing but Node 18.

import { spawn } from "node:child_process";
import { createInterface } from "node:readline";

const PROTOCOL = "brain-edge-stdio";
const VERSION = 1;

export class WorkerError extends Error {
  constructor({ code, message, hint }) {
    super(hint ? `${message}; ${hint}` : message);
    this.code = code;
  }
}

export class BrainWorker {
  #process;
  #waiting = new Map(); // id -> { resolve, reject, lines, onProgress }
  #lastId = 0;
  #ready;
  #exited;
  #last; // what the last line said, if the worker ended by itself

  // `program`: brain-infer, with its full path. `options`: more of its options, such as ["--threads", "2"].
  constructor(program, options = [], { startTimeoutMs = 60_000 } = {}) {
    this.#process = spawn(program, ["--serve-stdio", ...options], {
      stdio: ["pipe", "pipe", "ignore"],
      windowsHide: true,
    });
    this.#process.stdin.on("error", () => {}); // it ended: `close` below says so
    this.#ready = new Promise((resolve, reject) => {
      this.#waiting.set(null, { resolve, reject });
      setTimeout(() => reject(new Error("the worker does not start")), startTimeoutMs).unref();
    });
    this.#ready.catch(() => {}); // whoever waits is told
    this.#exited = new Promise((resolve) => {
      this.#process.on("error", (error) => this.#fail(error));
      this.#process.on("close", (status, signal) => {
        this.#fail(this.#last ?? new Error(`the worker ended (${signal ?? status})`));
        resolve(status);
      });
    });
    createInterface({ input: this.#process.stdout }).on("line", (line) => this.#heard(JSON.parse(line)));
  }

  // The first line: what the worker is, its limits, labels and model.
  ready() {
    return this.#ready;
  }

  // `what`: { content: Buffer, name } or { path } or { paths }, and { view, timeout_s, despite }. Resolves to the lines
  // that `brain-infer --json` prints. A refused image is a line, too; rejects if the request was not carried out.
  async classify({ content, ...what }, { onProgress, signal } = {}) {
    const id = ++this.#lastId;
    const answer = this.#ask({ ...what, id, method: "classify", length: content?.length }, { onProgress }, content);
    signal?.addEventListener("abort", () => this.#send({ id, method: "cancel" }), { once: true });
    return answer;
  }

  // Answered at once, even while the worker works. No answer within seconds: kill it and start another.
  ping() {
    return this.#ask({ id: ++this.#lastId, method: "ping" });
  }

  // Ends the worker when all is answered; resolves to its exit status.
  close() {
    this.#process.stdin.end();
    return this.#exited;
  }

  kill() {
    this.#process.kill("SIGKILL");
  }

  #ask(request, more = {}, content) {
    return new Promise((resolve, reject) => {
      this.#waiting.set(request.id, { resolve, reject, lines: [], ...more });
      this.#send(request, content);
    });
  }

  #send(request, content) {
    this.#process.stdin.write(`${JSON.stringify(request)}\n`);
    if (content?.length) this.#process.stdin.write(content);
  }

  #heard(event) {
    const { id } = event;
    const request = this.#waiting.get(id ?? null);
    if (event.exit_status !== undefined) this.#last = new WorkerError(event.error);
    if (!request) return; // cancelled twice, or a kind of event that is newer than this host
    if (event.event === "progress") request.onProgress?.(event.done, event.total);
    else if (event.event === "result") request.lines.push(event.line);
    else if (event.event === "ready") this.#began(event, request);
    else if (event.event === "done") this.#end(id, () => request.resolve(request.lines));
    else if (event.event === "pong") this.#end(id, () => request.resolve(event));
    else if (event.event === "error") this.#end(id ?? null, () => request.reject(new WorkerError(event.error)));
  }

  #began(event, request) {
    const speaks = event.protocol === PROTOCOL && event.versions.includes(VERSION);
    if (speaks) this.#end(null, () => request.resolve(event));
    else this.#end(null, () => request.reject(new Error(`${event.protocol} ${event.versions} is not spoken here`)));
  }

  #end(id, tell) {
    this.#waiting.delete(id);
    tell();
  }

  #fail(error) {
    for (const { reject } of this.#waiting.values()) reject(error);
    this.#waiting.clear();
  }
}
