// The orientation that a file states, found as Pillow finds it: EXIF first, then XMP.

import { latin1, viewOf } from "./bytes.js";

const ORIENTATION = 0x0112;
const IMAGES = 0xb001; // in the multi-picture format of CIPA DC-007
const SHORT = 3;
const LONG = 4;
const IN_XMP = /tiff:Orientation(?:="|>)([0-9])/;

/** A directory of tags that cannot be read. */
export class BrokenTags extends Error {}

/**
 * @param {Uint8Array|null} exif With or without "Exif\0\0" before it.
 * @param {Uint8Array|null} xmp
 * @returns {number} 1 where none is stated.
 */
export function orientationOf(exif, xmp) {
  let bytes = exif ?? new Uint8Array();
  for (let i = 0; i < 2 && latin1(bytes.subarray(0, 6)) === "Exif\0\0"; i++) bytes = bytes.subarray(6);
  const stated = bytes.length ? tagOf(bytes, ORIENTATION) : null;
  if (stated !== null) return stated;
  const match = xmp && IN_XMP.exec(latin1(xmp));
  return match ? Number(match[1]) : 1;
}

/** How many images a JPEG says that it holds. @param {Uint8Array} mpf After "MPF\0". */
export function imagesIn(mpf) {
  return tagOf(mpf, IMAGES) ?? 1;
}

/** The value of a tag of the first directory (TIFF 6.0), a single whole number; null where it is not there. */
function tagOf(bytes, wanted) {
  const order = latin1(bytes.subarray(0, 4));
  const isLittle = order === "II*\0";
  if (!isLittle && order !== "MM\0*") throw new BrokenTags();
  const view = viewOf(bytes);
  try {
    const start = view.getUint32(4, isLittle);
    const count = view.getUint16(start, isLittle);
    let found = null;
    for (let i = 0, at = start + 2; i < count; i++, at += 12) {
      if (view.getUint16(at, isLittle) !== wanted) continue;
      const type = view.getUint16(at + 2, isLittle);
      if (view.getUint32(at + 4, isLittle) !== 1 || (type !== SHORT && type !== LONG)) throw new BrokenTags();
      found = type === SHORT ? view.getUint16(at + 8, isLittle) : view.getUint32(at + 8, isLittle);
    }
    return found; // the last, as in Pillow
  } catch (error) {
    if (error instanceof RangeError) throw new BrokenTags();
    throw error;
  }
}
