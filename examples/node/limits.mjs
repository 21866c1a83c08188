// Which images are taken; edge_infer/image_limits.py.

import { Failure } from "./failure.mjs";

const MIN_SIDE = 16;
const MAX_SIDE = 8192;
const MAX_PIXELS = 40_000_000;

export function checkSize({ width, height }) {
  const found = `image is ${width} x ${height} pixels`;
  if (Math.max(height, width) > MAX_SIDE || height * width > MAX_PIXELS) {
    throw new Failure("over_limit", `${found}, expected at most ${MAX_SIDE} a side and ${MAX_PIXELS} in all`);
  }
  if (Math.min(height, width) < MIN_SIDE) {
    throw new Failure("unsupported", `${found}, expected at least ${MIN_SIDE} a side`);
  }
}

export function checkUpright(orientation) {
  if (orientation < 2 || orientation > 8) return; // brain-infer ignores other numbers, too
  throw new Failure("unsupported", `EXIF orientation is ${orientation}, expected an upright image; turn it first`);
}
