// The segments of a JPEG, checked to be complete and in order, as in edge_infer/formats/jpeg/segments.py.

import { overLimit, unsupported } from "../errors.js";
import { grouped } from "../limits.js";
import { readFrame, readScan } from "./headers.js";
import { BrokenJpegError, readTables, STANDARD_TABLES } from "./huffman.js";

const MAX_SCANS = 100;
const MAX_SEGMENTS = 4096;
const MAX_FILL_BYTES = 65_536; // before one marker

const [EOI, SOS, DHT, DQT, DRI] = [0xd9, 0xda, 0xc4, 0xdb, 0xdd];
const [BASELINE, EXTENDED, PROGRESSIVE] = [0xc0, 0xc1, 0xc2];
const ARITHMETIC = new Set([0xc9, 0xca]);
const OTHER_FRAMES = new Set([0xc3, 0xc5, 0xc6, 0xc7, 0xcb, 0xcd, 0xce, 0xcf]);
const ADOBE_TRANSFORMS = { 3: [0, 1], 4: [0, 2] }; // by number of components

const isAlone = (marker) => marker === 0x01 || (marker >= 0xd0 && marker <= 0xd7);
const isSkipped = (marker) => [0xcc, 0xdc, 0xfe].includes(marker) || (marker >= 0xe0 && marker <= 0xef);
const startsWith = (bytes, text) => [...text].every((letter, i) => bytes[i] === letter.charCodeAt(0));

/**
 * Read all segments up to the end marker; bytes after it are ignored.
 *
 * @param {Uint8Array} data A whole file.
 * @param {string} name For messages.
 * @returns {object} frame, scans, what JFIF and Adobe say of the colours, and `applications`: [marker, body] of each.
 */
export function readSegments(data, name) {
  const found = {
    frame: null, scans: [], tables: new Map(), restartInterval: 0, isArithmetic: false, isJfif: false,
    adobeTransform: null, applications: [], kept: [],
  };
  let at = 2;
  for (let count = 0; count < MAX_SEGMENTS; count++) {
    const marker = nextMarker(data, at, name);
    at = marker.end;
    if (marker.value === EOI) {
      checkColours(found);
      return found;
    }
    if (isAlone(marker.value)) continue;
    const end = at + ((data[at] << 8) | data[at + 1]);
    if (!(at + 2 <= end && end <= data.length)) throw new BrokenJpegError("a segment is cut short");
    const body = data.subarray(at + 2, end);
    found.kept.push([marker.value, data.subarray(at, end)]);
    at = end;
    if (marker.value === SOS) {
      at = addScan(found, body, data, end, name);
      found.kept.push([0, data.subarray(end, at)]);
    } else if (isSkipped(marker.value)) {
      addColours(found, marker.value, body);
    } else {
      add(found, marker.value, body, name);
    }
  }
  throw overLimit(`${name}: JPEG has more than ${grouped(MAX_SEGMENTS)} segments`, "export the slice again");
}

function nextMarker(data, at, name) {
  let end = at;
  while (data[end] === 0xff) end++;
  checkFill(end - at > MAX_FILL_BYTES, name);
  if (end === data.length) throw new BrokenJpegError("no end marker");
  if (end === at || data[end] === 0) throw new BrokenJpegError("bytes that belong to no segment");
  return { value: data[end], end: end + 1 };
}

function checkFill(isOverLimit, name) {
  if (!isOverLimit) return;
  const most = grouped(MAX_FILL_BYTES);
  throw overLimit(`${name}: JPEG has more than ${most} fill bytes before a marker`, "export the slice again");
}

function add(found, marker, body, name) {
  if (marker === DHT) {
    for (const [number, table] of readTables(body)) found.tables.set(number, table);
  } else if (marker === DQT) {
    checkQuantization(body);
  } else if (marker === DRI && body.length === 2) {
    found.restartInterval = (body[0] << 8) | body[1];
  } else if ([BASELINE, EXTENDED, PROGRESSIVE].includes(marker) && !found.frame) {
    if (body[0] !== 8) throw unsupported(`${name}: JPEG of other than 8 bits, expected 8`);
    found.frame = readFrame(body, marker === PROGRESSIVE);
  } else if (ARITHMETIC.has(marker)) {
    found.isArithmetic = true;
  } else if (OTHER_FRAMES.has(marker)) {
    throw unsupported(
      `${name}: lossless or hierarchical JPEG, expected baseline or progressive`,
      "export the slice as PNG",
    );
  } else {
    throw new BrokenJpegError("a segment out of place");
  }
}

function addColours(found, marker, body) {
  found.applications.push([marker, body]);
  if (marker === 0xe0 && startsWith(body, "JFIF\0") && body.length >= 12) found.isJfif = true;
  if (marker === 0xee && startsWith(body, "Adobe") && body.length >= 12) found.adobeTransform = body[11];
}

function checkColours({ frame, adobeTransform, isJfif }) {
  const count = frame?.components.length ?? 0;
  const allowed = ADOBE_TRANSFORMS[count];
  const isSettled = adobeTransform === null || (count === 3 && isJfif);
  if (allowed && !isSettled && !allowed.includes(adobeTransform)) throw new BrokenJpegError("colours of no known kind");
}

function checkQuantization(body) {
  for (let at = 0; at < body.length; ) {
    const wide = body[at] >> 4;
    const size = 64 << (wide & 1);
    const steps = body.subarray(at + 1, at + 1 + size);
    let hasZero = false;
    for (let i = 0; i < size; i += wide ? 2 : 1) hasZero ||= !steps[i] && (!wide || !steps[i + 1]);
    if (wide > 1 || steps.length < size || hasZero) throw new BrokenJpegError("a quantization table is incomplete");
    at += 1 + size;
  }
}

/** Record a scan; return where its data end. */
function addScan(found, body, data, start, name) {
  if (found.isArithmetic && !found.tables.size) {
    throw unsupported(
      `${name}: arithmetic-coded JPEG, which cannot be checked for damage, expected Huffman codes`,
      "export the slice as PNG",
    );
  }
  if (!found.frame || found.isArithmetic) throw new BrokenJpegError("a scan without a frame of its kind");
  if (found.scans.length === MAX_SCANS) {
    throw overLimit(`${name}: JPEG has more than ${MAX_SCANS} scans`, "export the slice again");
  }
  const end = endOfScan(data, start);
  let fill = end;
  while (fill > start && data[fill - 1] === 0xff) fill--;
  checkFill(end - fill >= MAX_FILL_BYTES, name);
  const tables = found.frame.isProgressive ? found.tables : new Map([...STANDARD_TABLES, ...found.tables]);
  found.scans.push(
    readScan(body, found.frame, new Map(tables), { restartInterval: found.restartInterval, start, end }),
  );
  return end;
}

/** Where the first marker after the coded data begins that is no restart marker. */
function endOfScan(data, start) {
  for (let at = data.indexOf(0xff, start); at >= 0 && at + 1 < data.length; at = data.indexOf(0xff, at + 1)) {
    const next = data[at + 1];
    if (next !== 0 && next !== 0xff && !(next >= 0xd0 && next <= 0xd7)) return at;
  }
  throw new BrokenJpegError("no end marker");
}
