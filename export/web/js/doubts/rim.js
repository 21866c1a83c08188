// An empty frame around the scan, and black and white exchanged: edge_infer/doubt_rules/rim.py.

import { roundedHalfToEven } from "../grey.js";
import { rowsOf, turned } from "./samples.js";

const FILLED = 0.28;
const LIGHT_FRAME = 0.05;
const BLANK = 16;
const LIGHT = 64;
const BRIGHT = 128;
const RIM = 32;

export function blankRim({ grid }) {
  const box = filledBox(grid);
  const size = grid.data.length;
  const frame = size - box.width * box.height;
  if (box.width * box.height >= FILLED * size) {
    if (frame <= LIGHT_FRAME * size || lightOutside(grid, box) <= LIGHT_FRAME * size) return null;
  }
  const share = roundedHalfToEven((100 * frame) / size);
  return { reason: "blank_rim", note: `a blank frame takes ${share} % of the image` };
}

export function inverted({ grid }) {
  const { left, top, width, height } = filledBox(grid);
  if (!width || !height) return null;
  const part = (y0, y1, x0, x1) =>
    rowsOf(grid).slice(top + y0, top + y1).flatMap((row) => [...row.subarray(left + x0, left + x1)]);
  const [down, across] = [height, width].map((side) => Math.max(1, Math.floor(side / RIM)));
  const rim = [
    part(0, down, 0, width), part(height - down, height, 0, width),
    part(0, height, 0, across), part(0, height, width - across, width),
  ].flat();
  if (2 * rim.filter((value) => value > BRIGHT).length <= rim.length) return null;
  const [quarterDown, quarterAcross] = [Math.floor(height / 4), Math.floor(width / 4)];
  const middle = part(quarterDown, height - quarterDown, quarterAcross, width - quarterAcross);
  if (median(rim) <= median(middle)) return null;
  return { reason: "inverted", note: "the rim is brighter than the middle: black and white may be swapped" };
}

/** Between the first and the last line that is not of one grey, along both axes. */
function filledBox(grid) {
  const [top, height] = varied(rowsOf(grid));
  const [left, width] = varied(rowsOf(turned(grid)));
  return { left, top, width, height };
}

function varied(lines) {
  const isVaried = (line) => Math.max(...line) - Math.min(...line) > BLANK;
  const first = lines.findIndex(isVaried);
  return first < 0 ? [0, 0] : [first, lines.findLastIndex(isVaried) + 1 - first];
}

function lightOutside(grid, { left, top, width, height }) {
  let count = 0;
  grid.data.forEach((value, i) => {
    const [x, y] = [i % grid.width, Math.floor(i / grid.width)];
    const isInside = x >= left && x < left + width && y >= top && y < top + height;
    if (value > LIGHT && !isInside) count++;
  });
  return count;
}

function median(values) {
  const sorted = Uint8Array.from(values).sort();
  const half = sorted.length >> 1;
  return sorted.length % 2 ? sorted[half] : (sorted[half - 1] + sorted[half]) / 2;
}
