// One line of docs/result.schema.json for one file, computed in this browser.

import { standsAt } from "./bytes.js";
import { decide, softmax } from "./decision.js";
import { decode } from "./decode.js";
import { doubtsAbout } from "./doubts/doubts.js";
import { BrainError, errorFields, unsupported } from "./errors.js";
import { MAX_FILE_BYTES } from "./limits.js";
import { shownName } from "./names.js";
import { MOST_APART } from "./probe.js";
import { sha256 } from "./sha256.js";
import { viewOfAnswer } from "./view.js";

const RESULT_SCHEMA_VERSION = 2;

export class Answers {
  /**
   * @param {object} parts decision (of decision.json), model (Model), scope (ScopeModel or null), runtime (the field of
   *   that name) and jpegApart, the largest difference that the probe found.
   */
  constructor(parts) {
    Object.assign(this, parts);
  }

  /** @param {Blob} file @param {string} source Its name. @returns {Promise<object>} The line, with its view. */
  async of(file, source) {
    const shared = {
      model: this.decision.model,
      runtime: this.runtime,
      research_use_only: this.decision.research_use_only,
    };
    const start = { schema_version: RESULT_SCHEMA_VERSION };
    try {
      return { ...start, status: "ok", ...(await this._answer(file, source)), ...shared };
    } catch (error) {
      return { ...start, status: "error", source, error: errorFields(error), ...shared };
    }
  }

  async _answer(file, source) {
    const name = shownName(source);
    const started = performance.now();
    const data = await contentOf(file, name);
    this._refuseChangedJpeg(data, name);
    const image = await decode(data, name);
    const digest = await sha256(data);
    const wasRead = performance.now();
    const { width, height } = this.decision.image_size;
    const doubts = doubtsAbout(image, { width, height });
    const wasDoubted = performance.now();
    const { logits, embeddings, evidence } = await this.model.run(image);
    const wasRun = performance.now();
    const { labels, temperature, trust } = this.decision;
    const probabilities = softmax(logits, temperature);
    const score = this.scope?.score(embeddings) ?? null;
    if (![...logits, ...evidence.data, score ?? 0].every(Number.isFinite)) {
      throw new BrainError("non_finite", `${name}: model gave NaN or infinity, so there is no answer`);
    }
    const decided = decide(probabilities, labels, score, doubts, trust);
    const best = probabilities.indexOf(Math.max(...probabilities));
    return {
      ...decided,
      scope: score === null ? null : { score, threshold: trust.scope_threshold },
      source,
      source_sha256: digest,
      label: labels[best],
      score: probabilities[best],
      probabilities: byLabel(labels, probabilities),
      logits: byLabel(labels, logits),
      timings_ms: {
        read: rounded(wasRead - started),
        preprocess: rounded(wasDoubted - wasRead),
        inference: rounded(wasRun - wasDoubted), // with the resize, which is in the graph
      },
      warnings: [...doubts.map(({ note }) => note), ...this._jpegWarning(data)],
      view: await viewOfAnswer(image, evidence),
    };
  }

  _refuseChangedJpeg(data, name) {
    if (this.jpegApart <= MOST_APART || !isJpeg(data)) return;
    throw unsupported(
      `${name}: this browser does not give the pixels of a JPEG as they are (${this.jpegApart} of 255 grey levels apart)`,
      "allow this page to read canvases in the browser's privacy settings, or save the image as PNG",
    );
  }

  _jpegWarning(data) {
    if (!this.jpegApart || !isJpeg(data)) return [];
    return [`this browser decodes JPEG up to ${this.jpegApart} of 255 grey levels otherwise than the runtime does`];
  }
}

async function contentOf(file, name) {
  if (file.size > MAX_FILE_BYTES) {
    throw new BrainError("over_limit", `${name}: file is larger than ${MAX_FILE_BYTES / 2 ** 20} MiB`);
  }
  try {
    return new Uint8Array(await file.arrayBuffer());
  } catch {
    throw new BrainError("unreadable", `${name}: cannot be read`, "it may have been moved or changed: choose it again");
  }
}

function isJpeg(data) {
  return standsAt(data, "\xff\xd8\xff");
}

function byLabel(labels, values) {
  return Object.fromEntries(labels.map((label, i) => [label, values[i]]));
}

function rounded(milliseconds) {
  return Math.max(0, Math.round(1000 * milliseconds) / 1000);
}
