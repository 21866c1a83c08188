// The graph in onnxruntime-web: opened, asked for its known answers, and asked about images.

import { decode } from "./decode.js";
import { BrainError } from "./errors.js";

const MOST_THREADS = 4;
const COLUMNS = 4; // of images on the sheet golden.png

export class Model {
  /**
   * @param {object} decision Of decision.json.
   * @param {Map<string, Uint8Array>} files Of the folder, verified.
   * @param {URL} base The folder.
   */
  static async open(decision, files, base) {
    const at = (name) => new URL(`onnxruntime/${name}`, base).href;
    const ort = await import(at("ort.js"));
    ort.env.wasm.wasmPaths = { mjs: at("ort-wasm.js"), wasm: at("ort-wasm.wasm") };
    ort.env.wasm.wasmBinary = files.get("onnxruntime/ort-wasm.wasm");
    // Threads need shared memory, which a browser gives to isolated pages only (COOP and COEP).
    ort.env.wasm.numThreads = globalThis.crossOriginIsolated
      ? Math.min(MOST_THREADS, navigator.hardwareConcurrency || 1)
      : 1;
    ort.env.logLevel = "error";
    let session;
    try {
      session = await ort.InferenceSession.create(files.get("model/model.onnx"), {
        executionProviders: ["wasm"],
        logSeverityLevel: 3,
      });
    } catch (error) {
      const hint = "this browser may lack WebAssembly SIMD, or the page's policy forbids WebAssembly";
      throw new BrainError("inference_failed", `onnxruntime-web does not start (${shortened(error)})`, hint);
    }
    return new Model(ort, session, decision);
  }

  constructor(ort, session, decision) {
    this._ort = ort;
    this._session = session;
    this._decision = decision;
    this.numThreads = ort.env.wasm.numThreads;
  }

  /**
   * @param {{width: number, height: number, grey: Uint8Array}} image Of any size; the graph resizes it as Pillow does.
   * @returns {Promise<object>} logits, embeddings: Float32Array; evidence {shape, data}.
   */
  async run({ width, height, grey }) {
    const image = new this._ort.Tensor("uint8", grey, [height, width]);
    let outputs;
    try {
      outputs = await this._session.run({ image });
    } catch (error) {
      throw new BrainError("inference_failed", `onnxruntime-web failed (${shortened(error)})`, "reload the page");
    }
    const { logits, embeddings, evidence } = outputs;
    const found = {
      logits: Float32Array.from(logits.data),
      embeddings: Float32Array.from(embeddings.data),
      evidence: { shape: [...evidence.dims], data: Float32Array.from(evidence.data) },
    };
    for (const output of Object.values(outputs)) output.dispose();
    if (found.logits.length !== this._decision.labels.length || found.evidence.shape[0] !== found.logits.length) {
      throw new BrainError("inference_failed", "model gave outputs of other shapes than expected", "write the folder again");
    }
    return found;
  }

  /** Ask for known answers, one of each class: intact files and a runtime that starts are not enough. */
  async selfTest(sheet) {
    const { golden, image_size: size, labels } = this._decision;
    const pixels = await decode(sheet, "golden.png");
    const seen = new Set();
    for (const [index, expected] of golden.answers.entries()) {
      if (seen.has(expected.label)) continue;
      seen.add(expected.label);
      const { logits } = await this.run(cut(pixels, index, size));
      const drift = Math.max(...logits.map((logit, i) => Math.abs(logit - expected.logits[i])));
      const found = labels[logits.indexOf(Math.max(...logits))];
      if (found === expected.label && drift <= golden.tolerance_logits) continue;
      throw new BrainError(
        "self_test_failed",
        `golden image ${index + 1}: is ${found} here with logits off by ${drift.toPrecision(3)}, ` +
          `expected ${expected.label} within ${golden.tolerance_logits.toPrecision(3)}`,
        "do not use this bundle in this browser; an fp32 bundle may do",
      );
    }
  }
}

function cut({ width, grey }, index, size) {
  const [left, top] = [(index % COLUMNS) * size.width, Math.floor(index / COLUMNS) * size.height];
  const image = new Uint8Array(size.width * size.height);
  for (let y = 0; y < size.height; y++) {
    const start = (top + y) * width + left;
    image.set(grey.subarray(start, start + size.width), y * size.width);
  }
  return { width: size.width, height: size.height, grey: image };
}

function shortened(error) {
  return String(error?.message ?? error).split("\n")[0].slice(0, 200);
}
