// The shape of the image, and several slices in one image: edge_infer/doubt_rules/layout.py.

import { roundedHalfToEven } from "../grey.js";
import { sum32 } from "./floats.js";
import { rowsOf, turned } from "./samples.js";

const { fround } = Math;
const TWO_SLICES = 1.98;
const DARK_LINE = 0.3;
const GAP = 0.06;
const BESIDE_GAP = 0.5;
const LIGHT_LINE = 96;
const LIGHT_BOX = 96;
const CONSTANT = 16;
const BLOCK = 5;
const EVEN = 3;
const RIM = 32;
const LINE = 64;
const MAY = "the image may hold several slices";

export function oddShape(width, height) {
  const ratio = Math.max(width, height) / Math.min(width, height);
  if (ratio < TWO_SLICES) return null;
  const said = `image is ${width} x ${height} pixels, far from the shape of a head`;
  const slices = roundedHalfToEven(ratio);
  if (Math.abs(ratio - slices) > 0.02 * slices) return { reason: "odd_shape", note: said };
  const how = width > height ? "side by side" : "one above the other";
  return { reason: "several_slices", note: `${said}; it may hold ${slices} slices ${how}` };
}

export function severalSlices({ grid }) {
  const [columns, rows] = brightness(grid);
  if (Math.min(middle(columns), middle(rows)) < DARK_LINE) {
    return { reason: "several_slices", note: `a dark line runs through the middle: ${MAY}` };
  }
  if (hasGap(grid) && hasGap(withoutBoxes(grid))) {
    return { reason: "several_slices", note: `a dark gap lies between bright parts: ${MAY}` };
  }
  return null;
}

/** Not for inverted scans, whose background is light from edge to edge. */
export function lightLine({ rows, fewColumns }) {
  if (Math.max(lightest(rows), lightest(turned(fewColumns))) <= LIGHT_LINE) return null;
  return {
    reason: "several_slices",
    note: `a light line runs from edge to edge: ${MAY}, or be a screenshot`,
  };
}

/** The mean of each column and of each row; the sums are whole numbers below 2 ** 24, so single precision holds them. */
function brightness(grid) {
  const mean = (lines) => lines.map((line) => fround(line.reduce((sum, value) => sum + value, 0) / line.length));
  return [mean(rowsOf(turned(grid))), mean(rowsOf(grid))];
}

function middle(bright) {
  const wide = Math.max(1, Math.floor(bright.length / LINE));
  const first = Math.floor((bright.length - wide) / 2);
  const inMiddle = fround(sum32(bright.slice(first, first + wide)) / wide);
  return fround(fround(inMiddle * bright.length) / fround(Math.max(sum32(bright), 1e-6)));
}

function hasGap(grid) {
  return Math.min(...brightness(grid).map(gap)) < GAP;
}

function gap(bright) {
  const rim = Math.floor(bright.length / RIM);
  const inner = bright.slice(rim, bright.length - rim);
  const brightest = fround(Math.max(...inner, 1e-6));
  const isBright = (value) => value > fround(BESIDE_GAP * brightest);
  const first = inner.findIndex(isBright);
  if (first < 0) return 1;
  return fround(Math.min(...inner.slice(first, inner.findLastIndex(isBright) + 1)) / brightest);
}

/** The grid with light blocks of one grey in black: a box that blanks a name is no slice. */
function withoutBoxes(grid) {
  const lightestAround = ranked(grid, BLOCK, Math.max);
  const darkestAround = ranked(grid, BLOCK, Math.min);
  const isCentre = grid.data.map((_, i) => {
    const [light, dark] = [lightestAround.data[i], darkestAround.data[i]];
    return light - dark <= EVEN && dark > LIGHT_BOX ? 1 : 0;
  });
  // One line more on each side: where a box ends, JPEG has mixed it with what lies beside it.
  const blocks = ranked({ ...grid, data: isCentre }, BLOCK + 2, Math.max);
  return { ...grid, data: grid.data.map((value, i) => (blocks.data[i] ? 0 : value)) };
}

/** The largest or smallest value within a square around each pixel, along one axis and then the other. */
function ranked(plane, size, choose) {
  const alongRows = (given) => {
    const half = Math.floor(size / 2);
    const data = given.data.map((_, i) => {
      const x = i % given.width;
      const [from, to] = [Math.max(0, x - half), Math.min(given.width - 1, x + half)];
      return choose(...given.data.subarray(i - x + from, i - x + to + 1));
    });
    return { ...given, data };
  };
  return turned(alongRows(turned(alongRows(plane))));
}

/** The grey of the lightest column of one grey, between columns that are not of one grey; 0 for none. */
function lightest(rows) {
  const columns = rowsOf(turned(rows)).map((column) => [Math.min(...column), Math.max(...column)]);
  const isVaried = ([darkest, brightest]) => brightest - darkest > CONSTANT;
  const first = columns.findIndex(isVaried);
  if (first < 0) return 0;
  const inside = columns.slice(first, columns.findLastIndex(isVaried)).filter((column) => !isVaried(column));
  return Math.max(0, ...inside.map(([darkest]) => darkest));
}
