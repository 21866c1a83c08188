// Walk the blocks of a JPEG scan (T.81, annexes F and G) and check that it holds all of them and nothing else.
//
// No coefficient is computed. edge_infer/formats/jpeg/sequential.py and progressive.py are the same walks.

import { BrokenJpegError } from "./huffman.js";

const COEFFICIENTS = 64;
const MAX_DC_SIZE = 11; // T.81, table F.1
const SKIP_16 = 15; // a run without a coefficient

/** All blocks of a sequential scan. @param {Array} layout The DC and AC code of each block of an MCU. */
export function walkBlocks(bits, mcus, layout) {
  mcus.forEach((count, interval) => {
    for (let i = 0; i < count; i++) for (const [dc, ac] of layout) walkBlock(bits, dc, ac);
    bits.close(bits.ends[interval]);
  });
}

function walkBlock(bits, dc, ac) {
  skipDc(bits, dc);
  let k = 1;
  while (k < COEFFICIENTS) {
    const symbol = bits.symbol(ac);
    if (symbol === 0) return;
    if (!(symbol & 15) && symbol !== SKIP_16 << 4) throw new BrokenJpegError("a code of another mode");
    bits.at += symbol & 15;
    k += (symbol >> 4) + 1;
  }
  if (k > COEFFICIENTS) throw new BrokenJpegError("a block with too many coefficients");
}

/** The first scan of DC coefficients. @param {Array} layout The code of each block of an MCU. */
export function walkDc(bits, mcus, layout) {
  mcus.forEach((count, interval) => {
    for (let i = 0; i < count; i++) for (const dc of layout) skipDc(bits, dc);
    bits.close(bits.ends[interval]);
  });
}

/** A scan that refines DC coefficients, by one bit for each of the blocks of an MCU. */
export function walkDcBits(bits, mcus, blocks) {
  mcus.forEach((count, interval) => {
    bits.at += count * blocks;
    bits.close(bits.ends[interval]);
  });
}

/**
 * A scan of AC coefficients of one component.
 *
 * @param {object} band Its first and last coefficient, and whether earlier scans have sent their upper bits.
 * @param {Uint8Array} isSet 64 a block: which coefficients are not 0; those set here are added.
 */
export function walkAc(bits, mcus, code, band, isSet) {
  const walk = band.refines ? refinedAc : firstAc;
  let block = 0;
  mcus.forEach((count, interval) => {
    walk(bits, code, band, isSet, block, block + count);
    bits.close(bits.ends[interval]);
    block += count;
  });
}

function skipDc(bits, code) {
  const size = bits.symbol(code);
  if (size > MAX_DC_SIZE) throw new BrokenJpegError("a coefficient too large");
  bits.at += size;
}

function firstAc(bits, code, { first, last }, isSet, block, end) {
  while (block < end) {
    let ended = 1;
    let k = first;
    while (k <= last) {
      const symbol = bits.symbol(code);
      const [run, size] = [symbol >> 4, symbol & 15];
      if (!size && run < SKIP_16) {
        ended = (1 << run) + bits.number(run);
        break;
      }
      k += run;
      if (size && k <= last) isSet[COEFFICIENTS * block + k] = 1;
      bits.at += size;
      k += 1;
    }
    if (k > last + 1) throw new BrokenJpegError("a block with too many coefficients");
    block += ended;
  }
  if (block > end) throw new BrokenJpegError("blocks beyond the last");
}

function refinedAc(bits, code, { first, last }, isSet, block, end) {
  while (block < end) {
    const started = block;
    const base = COEFFICIENTS * block;
    let ended = 0;
    let k = first;
    while (k <= last && !ended) {
      const symbol = bits.symbol(code);
      let run = symbol >> 4;
      const size = symbol & 15;
      if (size > 1) throw new BrokenJpegError("a refinement of more than one bit");
      if (!size && run < SKIP_16) {
        ended = (1 << run) + bits.number(run);
        break;
      }
      bits.at += size;
      // Each coefficient that is passed and known has one bit; the run counts those that are 0 so far.
      let isPlaced = false;
      for (; k <= last && !isPlaced; k++) {
        if (isSet[base + k]) bits.at += 1;
        else if (run-- === 0) {
          isPlaced = true;
          if (size) isSet[base + k] = 1;
        }
      }
      if (size && !isPlaced) throw new BrokenJpegError("a block with too many coefficients");
    }
    bits.at += known(isSet, base, k, last);
    block += 1;
    for (const after = block + ended - 1; block < after && block < end; block++) {
      bits.at += known(isSet, COEFFICIENTS * block, first, last);
    }
    if (ended > 1) block = started + ended;
  }
  if (block > end) throw new BrokenJpegError("blocks beyond the last");
}

function known(isSet, base, from, to) {
  let count = 0;
  for (let k = from; k <= to; k++) count += isSet[base + k];
  return count;
}
