// What a one-file model says about itself. onnxruntime-node does not show metadata_props, so they are read from the file.

import { Failure } from "./failure.mjs";

const CONTRACT = "brain_edge.contract";
// Fields of ONNX's messages: ModelProto.metadata_props, StringStringEntryProto.key and .value.
const METADATA_PROPS = 14;
const KEY = 1;
const VALUE = 2;

/**
 * @param {Uint8Array} model The whole file.
 * @returns {{labels: string[], research_use_only: string}} Labels in the order of `probabilities`, and what has to be said.
 */
export function readContract(model) {
  const text = new TextDecoder();
  for (const { number, bytes } of fields(model)) {
    if (number !== METADATA_PROPS) continue;
    const entry = Object.fromEntries(Array.from(fields(bytes), (field) => [field.number, text.decode(field.bytes)]));
    if (entry[KEY] !== CONTRACT) continue;
    return parsed(entry[VALUE]);
  }
  throw unusable(`the model has no ${CONTRACT}`);
}

function parsed(text) {
  let contract;
  try {
    contract = JSON.parse(text);
  } catch {
    throw unusable(`the model's ${CONTRACT} cannot be read`);
  }
  if (contract?.form !== "end-to-end") throw unusable("the model is of another form");
  const { labels } = contract;
  if (!Array.isArray(labels) || labels.length < 2 || !labels.every((label) => typeof label === "string")) {
    throw unusable("the model names no labels");
  }
  return contract;
}

function unusable(found) {
  return new Failure("bundle_incompatible", `${found}; expected a file that brain-export --end-to-end wrote`);
}

/** The fields of a protocol-buffer message that have a length; https://protobuf.dev/programming-guides/encoding/. */
function* fields(message) {
  let at = 0;
  const varint = () => {
    let value = 0;
    for (let factor = 1; ; factor *= 128) {
      const byte = message[at++];
      if (byte === undefined || factor > 2 ** 63) throw unusable("the model is damaged or cut short");
      value += (byte & 127) * factor; // no shifts: they would cut it to 32 bits
      if (byte < 128) return value;
    }
  };
  while (at < message.length) {
    const key = varint();
    const kind = key % 8;
    if (kind === 0) varint();
    else if (kind === 1) at += 8;
    else if (kind === 5) at += 4;
    else if (kind === 2) {
      const length = varint();
      if (at + length > message.length) throw unusable("the model is damaged or cut short");
      yield { number: Math.floor(key / 8), bytes: message.subarray(at, at + length) };
      at += length;
    } else throw unusable("the model is no ONNX file");
  }
}
