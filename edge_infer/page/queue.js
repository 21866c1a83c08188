// The works, answered one after the other. One that fails or is cancelled stops none of the others.

/**
 * @typedef {object} Job
 * @property {number} id
 * @property {import("./intake.js").Work} work
 * @property {"waiting"|"running"|"done"|"failed"|"cancelled"} state
 * @property {string} note what it waits for
 * @property {number} done
 * @property {number} total steps; 0 while unknown
 * @property {object[]} lines
 * @property {{message: string, hint: string, code: string, status: number}|null} error
 */

/** Sends "change" with a job as its detail. */
export class Queue extends EventTarget {
  /** @type {Job[]} */
  jobs = [];
  #engine = null;
  #running = null;
  #abort = null;
  #ids = 0;

  /** Begin, or go on after a pause, with what answers; null pauses. */
  set engine(engine) {
    this.#engine = engine;
    this.#next();
  }

  add(work) {
    this.jobs.push(cleared({ id: ++this.#ids, work }));
    this.#changed(this.jobs.at(-1));
    this.#next();
  }

  cancel(job) {
    if (job === this.#running) this.#abort.abort();
    else if (job.state === "waiting") {
      job.state = "cancelled";
      this.#changed(job);
    }
  }

  retry(job) {
    cleared(job);
    this.#changed(job);
    this.#next();
  }

  remove(job) {
    this.cancel(job);
    this.jobs = this.jobs.filter((one) => one !== job);
    this.#changed(job);
  }

  async #next() {
    const job = this.jobs.find((one) => one.state === "waiting");
    if (!this.#engine || this.#running || !job) return;
    this.#running = job;
    this.#abort = new AbortController();
    job.state = "running";
    this.#changed(job);
    await this.#answer(job, this.#abort.signal);
    this.#running = null;
    this.#changed(job);
    this.#next();
  }

  async #answer(job, signal) {
    const onProgress = (done, total) => this.#changed(Object.assign(job, { done, total: total || 0, note: "" }));
    const onWait = (note) => this.#changed(Object.assign(job, { note }));
    try {
      const file = await job.work.open(signal);
      for await (const line of this.#engine.classify(file, { onProgress, onWait, signal })) {
        signal.throwIfAborted();
        if (isOfAnother(line, this.#engine.facts)) throw anotherModel();
        job.lines.push(line);
        this.#changed(job);
      }
      job.state = job.lines.length && job.lines.every((line) => line.status === "error") ? "failed" : "done";
      if (!job.lines.length) throw Object.assign(new Error("there was no answer"), { hint: "try again" });
    } catch (error) {
      job.state = signal.aborted ? "cancelled" : "failed";
      if (!signal.aborted) job.error = told(error);
      if (!signal.aborted && error.status === 401) this.dispatchEvent(new Event("token"));
    }
  }

  #changed(job) {
    this.dispatchEvent(new CustomEvent("change", { detail: job }));
  }
}

/** Whether all of a work was answered. Of one that was cancelled or broke off, what had arrived is not the whole. */
export function isWhole(job) {
  return job.lines.length > 0 && (job.state === "done" || (job.state === "failed" && !job.error));
}

function cleared(job) {
  return Object.assign(job, { state: "waiting", note: "", done: 0, total: 0, lines: [], error: null });
}

// What the page says of thresholds and classes is that of the model it was opened with.
function isOfAnother(line, facts) {
  return Boolean(line.model && facts?.model) && line.model.manifest_sha256 !== facts.model.manifest_sha256;
}

function anotherModel() {
  const message = "the service has another model than when this page was opened";
  return Object.assign(new Error(message), { hint: "Save what you need, and reload the page.", code: "another_model" });
}

function told(error) {
  if (error.name === "NotReadableError" || error.name === "NotFoundError") {
    return { message: "the file cannot be read", hint: "It was moved or changed: drop it again.", code: "unreadable_input" };
  }
  const { message, hint = "", code = "", status = 0 } = error;
  return { message: message || String(error), hint, code: typeof code === "string" ? code : "", status };
}
