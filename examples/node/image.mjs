// Read a PNG or JPEG as what the one-file model takes: uint8, (height, width, 3) RGB. Refuses what it would get wrong.

import jpeg from "jpeg-js";
import { PNG } from "pngjs";

const MIN_SIDE = 16;
const MAX_SIDE = 8192;
const MAX_PIXELS = 40_000_000;

/**
 * @param {Buffer} bytes A whole file.
 * @returns {{height: number, width: number, data: Uint8Array}} RGB, row by row.
 */
export function readImage(bytes) {
  const image = decode(bytes);
  const { height, width, data } = image;
  if (Math.min(height, width) < MIN_SIDE || Math.max(height, width) > MAX_SIDE || height * width > MAX_PIXELS) {
    throw new Error(`image is ${width} x ${height} pixels, expected ${MIN_SIDE}..${MAX_SIDE} a side, ${MAX_PIXELS} in all`);
  }
  if (isBlank(data)) {
    throw new Error("image is blank, expected a scan");
  }
  return image;
}

function decode(bytes) {
  if (bytes.subarray(0, 4).equals(Buffer.from([0x89, 0x50, 0x4e, 0x47]))) {
    return fromPng(PNG.sync.read(bytes));
  }
  if (bytes[0] === 0xff && bytes[1] === 0xd8) {
    const orientation = exifOrientation(bytes);
    if (orientation !== 1) {
      throw new Error(`EXIF orientation is ${orientation}, expected an upright image; turn it first`);
    }
    const { height, width, data } = jpeg.decode(bytes, { useTArray: true, formatAsRGBA: false, tolerantDecoding: false });
    return { height, width, data };
  }
  throw new Error("content is neither PNG nor JPEG");
}

function fromPng(png) {
  if (png.depth === 16) {
    // pngjs divides by 65535, but scanners write 12 bits into 16: brain-infer scales by the largest value.
    throw new Error("16-bit PNG; scale it to 8 bits by its largest value first");
  }
  const pixels = png.height * png.width;
  const data = new Uint8Array(pixels * 3);
  for (let i = 0; i < pixels; i++) {
    if (png.data[4 * i + 3] !== 255) {
      throw new Error("image is transparent in places; put it on black first");
    }
    data.set(png.data.subarray(4 * i, 4 * i + 3), 3 * i);
  }
  return { height: png.height, width: png.width, data };
}

/** The same grey everywhere, by the weights that the model uses. */
function isBlank(data) {
  const grey = (i) => (data[i] * 19595 + data[i + 1] * 38470 + data[i + 2] * 7471 + 0x8000) >> 16;
  const first = grey(0);
  for (let i = 3; i < data.length; i += 3) {
    if (grey(i) !== first) return false;
  }
  return true;
}

/** Tag 0x0112 of the first IFD in the APP1 segment "Exif"; 1 (upright) where there is none. */
function exifOrientation(bytes) {
  for (let at = 2; at + 4 <= bytes.length && bytes[at] === 0xff && bytes[at + 1] !== 0xda; at += 2 + bytes.readUInt16BE(at + 2)) {
    if (bytes[at + 1] !== 0xe1 || bytes.toString("latin1", at + 4, at + 10) !== "Exif\0\0") continue;
    const tiff = bytes.subarray(at + 10, at + 2 + bytes.readUInt16BE(at + 2));
    const isLittle = tiff.toString("latin1", 0, 2) === "II";
    const u16 = (offset) => (isLittle ? tiff.readUInt16LE(offset) : tiff.readUInt16BE(offset));
    const start = isLittle ? tiff.readUInt32LE(4) : tiff.readUInt32BE(4);
    for (let entry = 0; entry < u16(start); entry++) {
      if (u16(start + 2 + 12 * entry) === 0x0112) return u16(start + 2 + 12 * entry + 8);
    }
  }
  return 1;
}
