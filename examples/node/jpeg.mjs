// Decode a JPEG, and refuse beforehand what jpeg-js would read otherwise than brain-infer.

import jpeg from "jpeg-js";

import { exifOrientation } from "./exif.mjs";
import { Failure } from "./failure.mjs";
import { checkSize, checkUpright } from "./limits.mjs";

const APP1 = 0xe1;
const SOS = 0xda;
const NOT_FRAMES = [0xc4, 0xc8, 0xcc]; // tables among the markers of frames (ITU T.81, table B.1)

/** @returns {{height: number, width: number, data: Uint8Array}} RGB, row by row. */
export function readJpeg(bytes) {
  let frame;
  for (const { marker, body } of segments(bytes)) {
    if (marker === APP1 && body.toString("latin1", 0, 6) === "Exif\0\0") checkUpright(exifOrientation(body.subarray(6)));
    const isFrame = marker >= 0xc0 && marker <= 0xcf && !NOT_FRAMES.includes(marker);
    if (isFrame && !frame && body.length >= 6) {
      frame = { depth: body[0], height: body.readUInt16BE(1), width: body.readUInt16BE(3), channels: body[5] };
    }
  }
  if (!frame) throw new Failure("corrupt", "JPEG is damaged or cut short");
  if (frame.depth !== 8) throw new Failure("unsupported", `JPEG has ${frame.depth} bits a channel, expected 8`);
  if (frame.channels !== 1 && frame.channels !== 3) {
    throw new Failure("unsupported", `JPEG has ${frame.channels} channels, expected grey or RGB; convert CMYK to RGB first`);
  }
  checkSize(frame);
  return decode(bytes);
}

function decode(bytes) {
  try {
    const { height, width, data } = jpeg.decode(bytes, { useTArray: true, formatAsRGBA: false, tolerantDecoding: false });
    return { height, width, data };
  } catch (error) {
    if (/limit exceeded/.test(error.message)) throw new Failure("over_limit", "JPEG needs more memory than its decoder may take");
    throw new Failure("corrupt", "JPEG is damaged or cut short");
  }
}

/** Marker and content of each segment before the first scan. */
function* segments(bytes) {
  for (let at = 2; at + 4 <= bytes.length && bytes[at] === 0xff; ) {
    const marker = bytes[at + 1];
    if (marker === 0xff) {
      at += 1; // fill bytes may come before a marker
      continue;
    }
    if (marker === SOS) return;
    const end = at + 2 + bytes.readUInt16BE(at + 2);
    yield { marker, body: bytes.subarray(at + 4, end) };
    at = end;
  }
}
