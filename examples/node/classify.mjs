// node classify.mjs MODEL.onnx SCAN...
// One line of JSON for each scan on stdout. Exit status: 0 all answered, 2 usage, 20 no such model, 32 unusable model,
// 100 some refused.

import { readContract } from "./contract.mjs";
import { Failure, orFailure } from "./failure.mjs";
import { readFile } from "./file.mjs";
import { readImage } from "./image.mjs";
import { againstSaturation } from "./saturation.mjs";

// Before onnxruntime is loaded: its library may otherwise report home.
process.env.ORT_DISABLE_TELEMETRY = "1";
const ort = await import("onnxruntime-node");

const RESEARCH_USE_ONLY = "Research use only. Not a medical device. Not for diagnosis.";
const MAX_FILE_BYTES = 64 * 2 ** 20;

const [model, ...files] = process.argv.slice(2);
if (!model || files.length === 0) {
  console.error(`usage: node classify.mjs MODEL.onnx SCAN...\n${RESEARCH_USE_ONLY}`);
  process.exit(2);
}
const { session, labels } = await open(model).catch((error) => {
  if (!(error instanceof Failure)) throw error;
  console.error(`${model}: cannot be used: ${error.message}`);
  process.exit(error.exitStatus);
});
let refused = 0;
for (const file of files) {
  let answer;
  try {
    answer = await classify(readImage(readFile(file, MAX_FILE_BYTES)));
  } catch (error) {
    if (!(error instanceof Failure)) throw error;
    refused += 1;
    answer = { error: error.message, code: error.code };
  }
  console.log(JSON.stringify({ file, ...answer, research_use_only: RESEARCH_USE_ONLY }));
}
process.exitCode = refused ? 100 : 0;

async function open(path) {
  const bytes = readFile(path); // once: labels and weights are then of the same file
  const { labels } = readContract(bytes);
  const options = { executionProviders: ["cpu"], logSeverityLevel: 3, ...(await againstSaturation(ort)) };
  const why = (error) => `onnxruntime cannot open it (${error.message})`;
  const session = await orFailure("bundle_incompatible", why, () => ort.InferenceSession.create(bytes, options));
  return { session, labels };
}

async function classify({ height, width, data }) {
  const image = new ort.Tensor("uint8", data, [height, width, 3]);
  const why = (error) => `onnxruntime failed (${error.message})`;
  const { probabilities } = await orFailure("inference_failed", why, () => session.run({ image }, ["probabilities"]));
  const values = Array.from(probabilities.data);
  if (values.length !== labels.length || !values.every(Number.isFinite)) {
    throw new Failure("non_finite", "the model gave no usable probabilities");
  }
  const label = labels[values.indexOf(Math.max(...values))];
  return { label, probabilities: Object.fromEntries(labels.map((name, i) => [name, values[i]])) };
}
