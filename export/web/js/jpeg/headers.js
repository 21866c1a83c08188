// Frame and scan headers of a JPEG (ITU-T T.81, annex B.2), as in edge_infer/formats/jpeg/frame.py.

import { BrokenJpegError } from "./huffman.js";

const BLOCK = 8;
const MAX_BLOCKS = 10; // in an MCU

/** @param {Uint8Array} segment After its length. @param {boolean} isProgressive Stated by its marker. */
export function readFrame(segment, isProgressive) {
  if (segment.length < 6 || segment.length !== 6 + 3 * segment[5]) {
    throw new BrokenJpegError("a frame header of another length");
  }
  const height = (segment[1] << 8) | segment[2];
  const width = (segment[3] << 8) | segment[4];
  const parts = Array.from({ length: segment[5] }, (_, i) => segment.subarray(6 + 3 * i, 9 + 3 * i));
  const factors = parts.map((part) => [part[1] >> 4, part[1] & 15]);
  if (!(width && height && parts.length) || factors.flat().some((factor) => factor < 1 || factor > 4)) {
    throw new BrokenJpegError("a frame header without size or components");
  }
  const mostAcross = Math.max(...factors.map(([across]) => across));
  const mostDown = Math.max(...factors.map(([, down]) => down));
  const components = factors.map(([across, down], i) => ({
    number: parts[i][0],
    across,
    down,
    blocks: blocks(width, across, mostAcross) * blocks(height, down, mostDown),
  }));
  return { isProgressive, width, height, components, mcus: blocks(width, 1, mostAcross) * blocks(height, 1, mostDown) };
}

/** How many blocks cover a side that is sampled by factor / most. */
function blocks(pixels, factor, most) {
  return Math.ceil((pixels * factor) / (most * BLOCK));
}

/**
 * @param {Uint8Array} segment After its length.
 * @param {object} frame The frame it belongs to.
 * @param {Map} tables Huffman tables defined so far.
 */
export function readScan(segment, frame, tables, { restartInterval, start, end }) {
  const count = segment[0] ?? 0;
  if (count < 1 || count > 4 || segment.length !== 4 + 2 * count) {
    throw new BrokenJpegError("a scan header of another length");
  }
  const components = [];
  const codes = [];
  for (let i = 0; i < count; i++) {
    const [number, names] = segment.subarray(1 + 2 * i, 3 + 2 * i);
    // If several share a number, each is used once, as in libjpeg.
    const index = frame.components.findIndex((part, at) => part.number === number && !components.includes(at));
    if (index < 0) throw new BrokenJpegError("a scan of a component that the frame lacks");
    components.push(index);
    codes.push([tables.get(names >> 4), tables.get(16 + (names & 15))]);
  }
  const inMcu = components.reduce((sum, i) => sum + frame.components[i].across * frame.components[i].down, 0);
  if (count > 1 && inMcu > MAX_BLOCKS) throw new BrokenJpegError("more blocks in an MCU than allowed");
  const [first, last, bits] = segment.subarray(-3);
  return { components, codes, first, last, upperBit: bits >> 4, lowerBit: bits & 15, restartInterval, start, end };
}

/** The number of MCUs in each restart interval of a scan. */
export function mcusOf(scan, frame) {
  const count = scan.components.length === 1 ? frame.components[scan.components[0]].blocks : frame.mcus;
  const interval = scan.restartInterval || count;
  const mcus = new Array(Math.floor(count / interval)).fill(interval);
  return count % interval ? [...mcus, count % interval] : mcus;
}

/** How many blocks of a component an MCU of a scan holds. */
export function blocksInMcu(frame, scan, index) {
  const { across, down } = frame.components[index];
  return scan.components.length > 1 ? across * down : 1;
}
