// A PNG reduced to the chunks that matter for its pixels, with every checksum verified: edge_infer/formats/png.py.

import { viewOf, latin1 } from "../bytes.js";
import { corrupt, overLimit, unsupported } from "../errors.js";
import { checkNotTooLarge, grouped } from "../limits.js";

export const PNG_SIGNATURE = "\x89PNG\r\n\x1a\n";

const MAX_CHUNKS = 65_536;
const COLOURS = { 0: "grey", 2: "colour", 3: "palette", 4: "grey and opacity", 6: "colour and opacity" };
const DEPTHS = { 0: [1, 2, 4, 8, 16], 2: [8, 16], 3: [1, 2, 4, 8], 4: [8, 16], 6: [8, 16] };
const ONCE_BEFORE_PIXELS = new Set(["IHDR", "PLTE", "tRNS"]);
const KNOWN = new Set(["IHDR", "PLTE", "tRNS", "eXIf", "IDAT", "IEND"]);
const TEXTS = new Set(["tEXt", "zTXt", "iTXt"]);
const TURNING_TEXTS = new Set(["Raw profile type exif", "XML:com.adobe.xmp"]);
const MAX_TURNING_TEXTS = 4;

const CHECKSUMS = Uint32Array.from({ length: 256 }, (_, byte) => {
  for (let i = 0; i < 8; i++) byte = byte & 1 ? 0xedb88320 ^ (byte >>> 1) : byte >>> 1;
  return byte;
});

/** CRC-32 as PNG has it (third edition, annex D). */
export function crc32(bytes) {
  let sum = 0xffffffff;
  for (let i = 0; i < bytes.length; i++) sum = CHECKSUMS[(sum ^ bytes[i]) & 255] ^ (sum >>> 8);
  return ~sum >>> 0;
}

/**
 * @param {Uint8Array} data Of a PNG file.
 * @param {string} name For messages.
 * @returns {object} header {width, height, depth, colour, isInterlaced}, palette, transparency, exif (or null), pixels
 *   (parts of one zlib stream) and texts that may state an orientation: {kind, keyword, body}.
 */
export function readChunks(data, name) {
  const found = { header: null, palette: null, transparency: null, exif: null, pixels: [], texts: [] };
  const seen = new Set();
  let last = "";
  for (const { kind, body } of chunks(data, name)) {
    checkOrder(kind, last, seen, name);
    if (kind === "IHDR") found.header = readHeader(body, name);
    if (kind === "IDAT") found.pixels.push(body);
    if (kind === "PLTE") found.palette = body;
    if (kind === "tRNS") found.transparency = body;
    if (kind === "eXIf") found.exif = body;
    refuseFrames(kind, body, name);
    const keyword = TEXTS.has(kind) ? latin1(body.subarray(0, 80)).split("\0", 1)[0] : "";
    if (TURNING_TEXTS.has(keyword)) {
      found.texts.push({ kind, keyword, body: body.subarray(keyword.length + 1) });
      boundTurning(found.texts.length, name);
    } else if (!KNOWN.has(kind) && !(kind.charCodeAt(0) & 0x20)) {
      // An upper-case letter: may not be skipped.
      throw unsupported(`${name}: PNG has an unknown chunk that is needed to read it`);
    }
    seen.add(kind);
    last = kind;
  }
  if (!found.pixels.length) throw corrupt(`${name}: PNG has no pixels`);
  return found;
}

function* chunks(data, name) {
  const view = viewOf(data);
  let at = PNG_SIGNATURE.length;
  for (let count = 0; count < MAX_CHUNKS; count++) {
    const length = at + 8 <= data.length ? view.getUint32(at) : Infinity;
    const end = at + 12 + length;
    if (end > data.length) throw corrupt(`${name}: image is cut short (PNG)`, "copy or export the file again");
    const kind = latin1(data.subarray(at + 4, at + 8));
    if (crc32(data.subarray(at + 4, end - 4)) !== view.getUint32(end - 4) || !/^[A-Za-z]{4}$/.test(kind)) {
      throw corrupt(`${name}: image is damaged (a PNG checksum is wrong)`, "copy or export the file again");
    }
    yield { kind, body: data.subarray(at + 8, end - 4) };
    if (kind === "IEND") return;
    at = end;
  }
  throw overLimit(`${name}: PNG has more than ${grouped(MAX_CHUNKS)} chunks`, "export the slice again");
}

function checkOrder(kind, last, seen, name) {
  const isLate = ONCE_BEFORE_PIXELS.has(kind) && (seen.has(kind) || seen.has("IDAT"));
  const isSplit = kind === "IDAT" && seen.has(kind) && last !== kind;
  if ((seen.size === 0) !== (kind === "IHDR") || isLate || isSplit) {
    throw corrupt(`${name}: image is damaged (PNG chunks are out of order)`);
  }
}

function readHeader(body, name) {
  if (body.length !== 13) throw corrupt(`${name}: image is damaged (PNG header has another length)`);
  const [width, height] = [viewOf(body).getUint32(0), viewOf(body).getUint32(4)];
  const [depth, colour, compression, filtering, interlace] = body.subarray(8);
  if (!DEPTHS[colour]?.includes(depth) || compression || filtering || interlace > 1) {
    throw unsupported(`${name}: PNG header states a kind of image that does not exist in PNG`);
  }
  if (depth === 16 && colour !== 0) {
    throw unsupported(
      `${name}: PNG of ${COLOURS[colour]} with 16 bits a channel, expected 16-bit grey or 8 bits`,
      "save it as 16-bit grey, or as 8-bit PNG",
    );
  }
  checkNotTooLarge(width, height, name);
  return { width, height, depth, colour, isInterlaced: interlace === 1 };
}

function refuseFrames(kind, body, name) {
  const frames = kind === "acTL" ? body.subarray(0, 4).reduce((sum, byte) => sum * 256 + byte, 0) : 0;
  if (kind === "fdAT" || (frames > 1 && frames <= 0x80000000)) {
    throw unsupported(
      `${name}: image has several frames (animated PNG), expected one`,
      "save the slice you want as an image of its own",
    );
  }
}

function boundTurning(turning, name) {
  if (turning <= MAX_TURNING_TEXTS) return;
  throw overLimit(
    `${name}: PNG has more than ${MAX_TURNING_TEXTS} texts that may state its orientation`,
    "save it upright and without metadata",
  );
}
