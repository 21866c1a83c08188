// Decode a PNG, and refuse what pngjs would read otherwise than brain-infer.

import { PNG } from "pngjs";

import { exifOrientation } from "./exif.mjs";
import { Failure } from "./failure.mjs";
import { checkSize, checkUpright } from "./limits.mjs";

const HEADER_BYTES = 13;

/** @returns {{height: number, width: number, data: Uint8Array}} RGB, row by row. */
export function readPng(bytes) {
  for (const { name, body } of chunks(bytes)) {
    if (name === "IHDR" && body.length === HEADER_BYTES) {
      checkSize({ width: body.readUInt32BE(0), height: body.readUInt32BE(4) });
      if (body[8] === 16) {
        // pngjs divides by 65535, but scanners write 12 bits into 16: brain-infer scales by the largest value.
        throw new Failure("unsupported", "16-bit PNG; scale it to 8 bits by its largest value first");
      }
    }
    if (name === "acTL" && body.length >= 4 && body.readUInt32BE(0) > 1) {
      throw new Failure("unsupported", `PNG has ${body.readUInt32BE(0)} frames, expected one`);
    }
    if (name === "eXIf") checkUpright(exifOrientation(body));
  }
  return opaque(decode(bytes));
}

function decode(bytes) {
  try {
    return PNG.sync.read(bytes);
  } catch {
    throw new Failure("corrupt", "PNG is damaged or cut short");
  }
}

function opaque(png) {
  const pixels = png.height * png.width;
  const data = new Uint8Array(pixels * 3);
  for (let i = 0; i < pixels; i++) {
    if (png.data[4 * i + 3] !== 255) {
      throw new Failure("unsupported", "image is transparent in places; put it on black first");
    }
    data.set(png.data.subarray(4 * i, 4 * i + 3), 3 * i);
  }
  return { height: png.height, width: png.width, data };
}

function* chunks(bytes) {
  for (let at = 8; at + 8 <= bytes.length; ) {
    const length = bytes.readUInt32BE(at);
    yield { name: bytes.toString("latin1", at + 4, at + 8), body: bytes.subarray(at + 8, at + 8 + length) };
    at += 12 + length;
  }
}
