// Whether the data of a JPEG are complete: finds what a decoder would silently fill in or skip.
//
// Browsers paint what is there and leave the rest grey. So every code is walked, as edge_infer/formats/jpeg does.

import { corrupt, overLimit } from "../errors.js";
import { checkNotTooLarge, grouped } from "../limits.js";
import { JpegBits } from "./bits.js";
import { blocksInMcu, mcusOf } from "./headers.js";
import { BrokenJpegError, codeOf } from "./huffman.js";
import { readSegments } from "./segments.js";
import { walkAc, walkBlocks, walkDc, walkDcBits } from "./walk.js";

const MAX_BLOCK_VISITS = 2 ** 24;
const MAX_PROGRESSIVE_BYTES = 4 * 2 ** 20;
const COEFFICIENTS = 64;
const UNSENT = -1;
const MAX_LOWER_BIT = 13;

/**
 * @param {Uint8Array} data A whole file that begins as a JPEG.
 * @param {string} name For messages.
 * @returns {object} What readSegments found.
 */
export function checkJpeg(data, name) {
  try {
    const segments = readSegments(data, name);
    if (!segments.frame) throw new BrokenJpegError("no frame header");
    checkNotTooLarge(segments.frame.width, segments.frame.height, name);
    if (segments.frame.isProgressive) {
      checkVisits(segments, name);
      checkProgressive(data, segments);
    } else {
      checkSequential(data, segments);
    }
    return segments;
  } catch (error) {
    if (!(error instanceof BrokenJpegError)) throw error;
    throw corrupt(`${name}: image is damaged or cut short (JPEG: ${error.message})`, "copy or export the file again");
  }
}

function checkSequential(data, { frame, scans }) {
  const sent = [];
  for (const scan of scans) {
    if (scan.first !== 0 || scan.last !== 63 || scan.upperBit || scan.lowerBit) {
      throw new BrokenJpegError("a scan header of another mode");
    }
    const layout = scan.components.flatMap((index, i) => {
      const codes = scan.codes[i].map(codeOf);
      return new Array(blocksInMcu(frame, scan, index)).fill(codes);
    });
    walkBlocks(...bitsAndMcus(data, frame, scan), layout);
    sent.push(...scan.components);
  }
  const isWhole = sent.length === frame.components.length && new Set(sent).size === sent.length;
  if (!isWhole) throw new BrokenJpegError("a component is missing or stands twice");
}

function checkProgressive(data, { frame, scans }) {
  // By component: the lowest bit sent so far of each coefficient, and for each block which ones are not 0 so far.
  const sent = frame.components.map(() => new Array(COEFFICIENTS).fill(UNSENT));
  const isSet = frame.components.map(({ blocks }) => new Uint8Array(COEFFICIENTS * blocks));
  for (const scan of scans) {
    for (const index of scan.components) advance(sent[index], scan);
    const [bits, mcus] = bitsAndMcus(data, frame, scan);
    if (scan.first) {
      const band = { first: scan.first, last: scan.last, refines: scan.upperBit > 0 };
      walkAc(bits, mcus, codeOf(scan.codes[0][1]), band, isSet[scan.components[0]]);
      continue;
    }
    const counts = scan.components.map((index) => blocksInMcu(frame, scan, index));
    if (scan.upperBit) {
      walkDcBits(bits, mcus, counts.reduce((sum, count) => sum + count, 0));
    } else {
      walkDc(bits, mcus, counts.flatMap((count, i) => new Array(count).fill(codeOf(scan.codes[i][0]))));
    }
  }
  if (sent.flat().some((bit) => bit !== 0)) throw new BrokenJpegError("scans are missing");
}

/** Record what a scan sends of a component; refuse what may not follow the scans before (T.81, G.1.1.1). */
function advance(sent, { components, first, last, upperBit, lowerBit }) {
  const isDc = first === 0;
  const isBand = first <= last && last < COEFFICIENTS && (components.length === 1 || isDc);
  if ((isDc && last) || !isBand || (!isDc && sent[0] === UNSENT)) throw new BrokenJpegError("a scan out of order");
  for (let k = first; k <= last; k++) {
    const isFirst = sent[k] === UNSENT && upperBit === 0;
    const isNext = sent[k] === upperBit && upperBit === lowerBit + 1;
    if (!(isFirst || isNext) || lowerBit > MAX_LOWER_BIT) throw new BrokenJpegError("a scan out of order");
    sent[k] = lowerBit;
  }
}

function checkVisits({ frame, scans }, name) {
  const size = scans.reduce((sum, scan) => sum + scan.end - scan.start, 0);
  if (size > MAX_PROGRESSIVE_BYTES) {
    const [found, most] = [size, MAX_PROGRESSIVE_BYTES].map(grouped);
    throw overLimit(
      `${name}: progressive JPEG of ${found} bytes, expected at most ${most}`,
      "export the slice again, as baseline JPEG or PNG",
    );
  }
  const visits = scans.reduce((sum, { components }) => {
    const alone = frame.components[components[0]].blocks;
    return sum + (components.length > 1 ? frame.mcus * components.length : alone);
  }, 0);
  if (visits > MAX_BLOCK_VISITS) {
    throw overLimit(
      `${name}: progressive JPEG of ${scans.length} scans at ${frame.width} x ${frame.height} pixels, ` +
        "more than any encoder needs",
      "export the slice again, as baseline JPEG or PNG",
    );
  }
}

/** Open the data of a scan; also return the number of MCUs due in each restart interval. */
function bitsAndMcus(data, frame, scan) {
  const bits = new JpegBits(data.subarray(scan.start, scan.end));
  const mcus = mcusOf(scan, frame);
  if (bits.ends.length !== mcus.length) throw new BrokenJpegError("restart markers are missing or too many");
  return [bits, mcus];
}
