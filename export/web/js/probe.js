// Whether this browser gives the pixels of a JPEG as the runtime reads them, found by decoding one.
//
// A PNG is decoded by this program itself. A JPEG goes through the browser's decoder and a canvas, and a browser that
// guards against fingerprinting returns other pixels from a canvas than were drawn.

import { checkJpeg } from "./jpeg/check.js";
import { jpegPixels } from "./jpeg/pixels.js";
import { readChunks } from "./png/chunks.js";
import { pixelsOf } from "./png/pixels.js";
import { readSamples } from "./png/rows.js";

/** Grey levels that another decoder's rounding may differ by; more is no rounding. */
export const MOST_APART = 4;

/**
 * @param {Uint8Array} jpeg A file. @param {Uint8Array} png The same as Pillow decodes it, RGB.
 * @returns {Promise<number>} The largest difference of a channel, in levels of 0..255.
 */
export async function jpegDifference(jpeg, png) {
  const { rgba } = await jpegPixels(checkJpeg(jpeg, "probe.jpg"), "probe.jpg");
  const chunks = readChunks(png, "probe.png");
  const { colour } = pixelsOf(chunks, await readSamples(chunks, "probe.png"), "probe.png");
  let largest = 0;
  for (let i = 0; i < colour.length; i++) {
    const channel = 4 * Math.floor(i / 3) + (i % 3);
    largest = Math.max(largest, Math.abs(colour[i] - rgba[channel]));
  }
  return largest;
}
