// What the rules look at, taken as edge_infer/doubt_rules/samples.py takes it.

import { thinned } from "../thinned.js";

const LINES = 128;
const LONGEST = 1024;
const EVERY = 4;

/** Rows of a plane, each a view of it. */
export function rowsOf({ width, height, data }) {
  return Array.from({ length: height }, (_, y) => data.subarray(y * width, (y + 1) * width));
}

/** A plane with rows and columns exchanged. */
export function turned({ width, height, data }) {
  const result = new Uint8Array(data.length);
  for (let y = 0; y < height; y++) for (let x = 0; x < width; x++) result[x * height + y] = data[y * width + x];
  return { width: height, height: width, data: result };
}

/**
 * @param {{width: number, height: number, grey: Uint8Array}} image
 * @returns {object} Planes rows, fewRows, fewColumns, grid; levels, how many pixels of the grid have each grey level.
 */
export function samplesOf({ width, height, grey }) {
  const image = { width, height, data: grey };
  const [longWidth, longHeight] = [Math.min(width, LONGEST), Math.min(height, LONGEST)];
  const [fewWidth, fewHeight] = [Math.min(width, LINES), Math.min(height, LINES)];
  const rows = thinned(image, longWidth, fewHeight);
  const grid = thinned(rows, fewWidth, fewHeight);
  const every = rowsOf(rows).filter((_, y) => y % EVERY === 0);
  const levels = new Array(256).fill(0);
  for (const value of grid.data) levels[value] += 1;
  return {
    rows,
    fewRows: every,
    fewColumns: thinned(image, Math.max(1, Math.floor(fewWidth / EVERY)), longHeight),
    grid,
    levels,
  };
}
