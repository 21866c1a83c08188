// The samples of a PNG: unpacked, counted, unfiltered and put in their place (PNG, third edition: 7.2, 8.1, 9, 10.2).

import { corrupt } from "../errors.js";
import { inflate, TooMuch } from "./inflate.js";

const CHANNELS = { 0: 1, 2: 3, 3: 1, 4: 2, 6: 4 };
const WHOLE = [[0, 0, 1, 1]];
// First column, first row, columns apart, rows apart of each pass.
const ADAM7 = [
  [0, 0, 8, 8], [4, 0, 8, 8], [0, 4, 4, 8], [2, 0, 4, 4], [0, 2, 2, 4], [1, 0, 2, 2], [0, 1, 1, 2],
];

/**
 * @param {object} png Of readChunks.
 * @param {string} name For messages.
 * @returns {Promise<{samples: Uint8Array|Uint16Array, channels: number}>} Row by row, as they were stored, not scaled.
 */
export async function readSamples(png, name) {
  const { width, height, depth, colour, isInterlaced } = png.header;
  const channels = CHANNELS[colour];
  const bits = depth * channels;
  const passes = (isInterlaced ? ADAM7 : WHOLE)
    .map(([left, top, across, down]) => ({
      left, top, across, down,
      columns: Math.max(0, Math.ceil((width - left) / across)),
      rows: Math.max(0, Math.ceil((height - top) / down)),
    }))
    .filter(({ columns, rows }) => columns && rows);
  const due = passes.reduce((sum, { columns, rows }) => sum + rows * (1 + Math.ceil((columns * bits) / 8)), 0);
  const raw = await unpacked(png.pixels, due, name);
  const samples = new (depth === 16 ? Uint16Array : Uint8Array)(width * height * channels);
  let at = 0;
  for (const pass of passes) {
    const size = Math.ceil((pass.columns * bits) / 8);
    unfilter(raw, at, size, pass.rows, Math.max(1, bits >> 3), name);
    for (let row = 0; row < pass.rows; row++, at += 1 + size) {
      const start = ((pass.top + row * pass.down) * width + pass.left) * channels;
      place(raw.subarray(at + 1, at + 1 + size), samples, start, pass, depth, channels);
    }
  }
  return { samples, channels };
}

async function unpacked(parts, due, name) {
  let raw;
  let how = "pixels are missing";
  try {
    raw = await inflate(parts, due);
  } catch (error) {
    if (!(error instanceof TooMuch || error instanceof TypeError || error?.code)) throw error;
    how = error instanceof TooMuch ? "more pixels than the header says" : "wrong Deflate data";
  }
  if (raw?.length === due) return raw;
  throw corrupt(`${name}: image is damaged or cut short (PNG: ${how})`, "copy or export the file again");
}

/** Undo the filter of each row, in place. @param {number} step Bytes from a sample to the same of the pixel before. */
function unfilter(raw, at, size, rows, step, name) {
  for (let row = 0; row < rows; row++, at += 1 + size) {
    const filter = raw[at];
    if (filter > 4) throw corrupt(`${name}: image is damaged (PNG: an unknown filter)`);
    if (filter === 0) continue;
    const first = at + 1;
    const above = first - 1 - size;
    for (let i = 0; i < size; i++) {
      const left = i < step ? 0 : raw[first + i - step];
      const up = row ? raw[above + i] : 0;
      const corner = row && i >= step ? raw[above + i - step] : 0;
      raw[first + i] += predicted(filter, left, up, corner);
    }
  }
}

function predicted(filter, left, up, corner) {
  if (filter === 1) return left;
  if (filter === 2) return up;
  if (filter === 3) return (left + up) >> 1;
  const [a, b, c] = [Math.abs(up - corner), Math.abs(left - corner), Math.abs(left + up - 2 * corner)];
  return a <= b && a <= c ? left : b <= c ? up : corner;
}

function place(row, samples, start, { columns, across }, depth, channels) {
  for (let column = 0; column < columns; column++) {
    for (let channel = 0; channel < channels; channel++) {
      const from = column * channels + channel;
      samples[start + column * across * channels + channel] = sampleAt(row, from, depth);
    }
  }
}

function sampleAt(row, index, depth) {
  if (depth === 8) return row[index];
  if (depth === 16) return (row[2 * index] << 8) | row[2 * index + 1];
  const bit = index * depth;
  return (row[bit >> 3] >> (8 - depth - (bit & 7))) & ((1 << depth) - 1);
}
