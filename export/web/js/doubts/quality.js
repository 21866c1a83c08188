// What a scan has lost, drowned in noise, blurred or coarsely compressed: edge_infer/doubt_rules/quality.py.

import { rowsOf, turned } from "./samples.js";

const NOISE = 0.5;
const DETAIL = 0.162;
const BLOCKS = 2;
const QUARTER = 0.5;
const APART = 16;
const EDGE = 24;
const NARROWEST = 64;

const lowQuality = (note) => ({ reason: "low_quality", note });

export function noisy({ fewRows, levels }) {
  if (fewRows[0].length < NARROWEST) return null;
  const step = QUARTER * contrast(levels);
  let count = 0;
  for (const row of fewRows) {
    for (let x = 2; x < row.length; x++) if (Math.abs(row[x] - 2 * row[x - 1] + row[x - 2]) > step) count++;
  }
  if (count <= NOISE * fewRows.length * (fewRows[0].length - 2)) return null;
  return lowQuality("noise is about as strong as what the image shows");
}

export function blurred({ grid }) {
  if (Math.min(grid.width, grid.height) < NARROWEST) return null;
  if (Math.min(detail(grid), detail(turned(grid))) >= DETAIL) return null;
  return lowQuality("the image is blurred, or was enlarged from very few pixels");
}

export function coarseJpeg({ fewRows }) {
  if (fewRows[0].length < NARROWEST) return null;
  const jumps = new Array(fewRows[0].length - 1).fill(0);
  for (const row of fewRows) {
    for (let x = 0; x < jumps.length; x++) jumps[x] += Math.min(Math.abs(row[x + 1] - row[x]), EDGE);
  }
  const between = jumps.filter((_, x) => x % 8 === 7);
  const ofBetween = sum(between);
  const inside = (sum(jumps) - ofBetween) / (jumps.length - between.length);
  if (ofBetween / between.length <= BLOCKS * inside) return null;
  return lowQuality("blocks of very strong JPEG compression are seen");
}

function sum(values) {
  return values.reduce((total, value) => total + value, 0);
}

/** The standard deviation of the grey levels. */
function contrast(levels) {
  const pixels = sum(levels);
  const mean = sum(levels.map((count, grey) => grey * count)) / pixels;
  return Math.sqrt(sum(levels.map((count, grey) => (grey - mean) ** 2 * count)) / pixels);
}

/** Difference of neighbouring rows, relative to that of rows a 16th of the side apart, on a quarter of the columns. */
function detail(grid) {
  const rows = rowsOf(grid);
  const apart = Math.floor(rows.length / APART);
  const mean = (distance) => {
    let total = 0;
    let count = 0;
    for (let y = distance; y < rows.length; y++) {
      for (let x = 0; x < grid.width; x += 4, count++) total += Math.abs(rows[y][x] - rows[y - distance][x]);
    }
    return total / count;
  };
  const far = mean(apart);
  return far ? mean(1) / far : 1;
}
