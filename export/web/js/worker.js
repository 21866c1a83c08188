// The part that computes, in a thread of its own so that the page stays responsive. Messages: engine.js.

import { Answers } from "./answer.js";
import { FORMATS } from "./decode.js";
import { errorFields } from "./errors.js";
import { readFolder } from "./files.js";
import { Model } from "./model.js";
import { jpegDifference } from "./probe.js";
import { ScopeModel } from "./scope.js";
import { HAS_SUBTLE } from "./sha256.js";

const BASE = new URL("../", import.meta.url);
let answers = null;
let last = Promise.resolve();

self.onmessage = ({ data: { id, file, source } }) => {
  // One after the other: the graph uses the whole memory of its own.
  last = last.then(async () => {
    try {
      self.postMessage({ id, value: id === 0 ? await open() : await answers.of(file, source) });
    } catch (error) {
      self.postMessage({ id, error: errorFields(error) });
    }
  });
};

async function open() {
  const { manifest, files } = await readFolder(BASE, (done, total) => self.postMessage({ id: 0, done, total }));
  const decision = JSON.parse(new TextDecoder().decode(files.get("model/decision.json")));
  const model = await Model.open(decision, files, BASE);
  await model.selfTest(files.get("model/golden.png"));
  const scope = decision.scope_model ? new ScopeModel(decision.scope_model, files.get("model/scope.bin")) : null;
  const jpegApart = await jpegDifference(files.get("model/probe.jpg"), files.get("model/probe.png"));
  const versions = { ...decision.versions, browser: navigator.userAgent };
  const runtime = { provider: "wasm", num_threads: model.numThreads, versions };
  answers = new Answers({ decision, model, scope, runtime, jpegApart });
  const { golden, scope_model: _, versions: __, ...facts } = decision;
  return {
    ...facts,
    runtime,
    engine: "browser",
    formats: FORMATS,
    missing_checks: [],
    golden_answers: new Set(golden.answers.map(({ label }) => label)).size,
    digests_by: HAS_SUBTLE ? "the browser" : "this page: the browser gives no digests outside of https and localhost",
    jpeg_levels_apart: jpegApart,
    files: Object.keys(manifest.files).length,
  };
}
