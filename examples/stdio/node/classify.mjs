// node classify.mjs BRAIN_INFER IMAGE...
// A line for each image. Exit status: 0 all answered, 2 usage, 100 some refused.

import { readFileSync } from "node:fs";

import { BrainWorker } from "./worker.mjs";

const [program, ...files] = process.argv.slice(2);
if (!program || files.length === 0) {
  console.error("usage: node classify.mjs BRAIN_INFER IMAGE...");
  process.exit(2);
}
const worker = new BrainWorker(program);
const { research_use_only } = await worker.ready();
let refused = 0;
for (const file of files) {
  const [line] = await worker.classify({ content: readFileSync(file), name: file });
  if (line.status === "ok") {
    console.log(`${line.source}: ${decision(line)} ${line.label} ${line.score.toFixed(4)}`);
  } else {
    refused += 1;
    console.log(`${line.source}: error ${line.error.code}`);
  }
}
console.log(research_use_only);
const status = await worker.close();
process.exitCode = status || (refused ? 100 : 0);

// Whether the answer is accepted comes before the answer; never show a label alone.
function decision({ decision, reasons }) {
  return decision === "abstain" ? `abstain (${reasons.join(", ")}), nearest` : decision;
}
