// Limits that are checked before decoding: the numbers of edge_infer/image_limits.py.

import { overLimit, unsupported } from "./errors.js";

export const MAX_FILE_BYTES = 64 * 2 ** 20;
export const MAX_SIDE = 8192;
export const MAX_PIXELS = 40_000_000;
export const MIN_SIDE = 16;

/** Check the size stated by the header, in pixels; needs no decoding. */
export function checkSize(width, height, name) {
  checkNotTooLarge(width, height, name);
  if (Math.min(width, height) < MIN_SIDE) {
    throw unsupported(`${name}: image is ${width} x ${height} pixels, expected at least ${MIN_SIDE} a side`);
  }
}

export function checkNotTooLarge(width, height, name) {
  if (Math.max(width, height) <= MAX_SIDE && width * height <= MAX_PIXELS) return;
  throw overLimit(
    `${name}: image is ${width} x ${height} pixels, expected at most ${MAX_SIDE} a side and ${grouped(MAX_PIXELS)} in all`,
    "export a single slice at its original size",
  );
}

/** A whole number with commas between thousands. */
export function grouped(number) {
  return number.toLocaleString("en");
}
