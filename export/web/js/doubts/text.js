// Letters in the pixels, many jumps between dark and bright close together: edge_infer/doubt_rules/text.py.

import { rowsOf } from "./samples.js";

const TEXT = 0.003;
const CELLS = 8;
const FULL = 0.25;
const JUMP = 96;
const DARK = 48;
const NARROWEST = 128;

export function burntInText({ rows }) {
  if (rows.width < NARROWEST) return null;
  const cell = Math.floor((rows.width - 2) / CELLS);
  let full = 0;
  for (const row of rowsOf(rows)) {
    for (let first = 0; first < cell * CELLS; first += cell) if (jumpsIn(row, first, cell) > FULL * cell) full++;
  }
  if (full <= TEXT * rows.height * CELLS) return null;
  return {
    reason: "burnt_in_text",
    note: "many sharp strokes lie close together: text may be burnt into the image",
  };
}

function jumpsIn(row, first, cell) {
  let count = 0;
  for (let x = first; x < first + cell; x++) {
    const darker = Math.min(row[x], row[x + 2]);
    if (Math.max(row[x], row[x + 2]) - darker > JUMP && darker < DARK) count++;
  }
  return count;
}
