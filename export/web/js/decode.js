// Decode the bytes of an image file to grey pixels, or say exactly why not: edge_infer/decoding.py.

import { standsAt } from "./bytes.js";
import { colouredShare } from "./colour.js";
import { corrupt, overLimit, unsupported } from "./errors.js";
import { BrokenTags, orientationOf } from "./exif.js";
import { hintFor, nameOfForeignFormat } from "./foreign.js";
import { greyOfDeep, greyOfRgb, refuseBlank, upright } from "./grey.js";
import { checkJpeg } from "./jpeg/check.js";
import { jpegPixels } from "./jpeg/pixels.js";
import { checkSize, MAX_FILE_BYTES } from "./limits.js";
import { PNG_SIGNATURE, readChunks } from "./png/chunks.js";
import { pixelsOf } from "./png/pixels.js";
import { readSamples } from "./png/rows.js";
import { orientingTexts } from "./png/texts.js";

export const FORMATS = ["JPEG", "PNG"];

/**
 * @param {Uint8Array} data Of a whole file.
 * @param {string} name For messages, as shownName gives it.
 * @returns {Promise<{width: number, height: number, grey: Uint8Array, coloured: number}>} Upright; `coloured` is the
 *   share of pixels that had a colour of their own.
 */
export async function decode(data, name) {
  if (data.length > MAX_FILE_BYTES) throw overLimit(`${name}: file is larger than ${MAX_FILE_BYTES / 2 ** 20} MiB`);
  if (!data.length) throw corrupt(`${name}: file is empty (0 bytes)`);
  const foreign = nameOfForeignFormat(data);
  if (foreign) {
    throw unsupported(`${name}: format is ${foreign}, expected ${FORMATS.join(" or ")}`, hintFor(foreign));
  }
  if (standsAt(data, PNG_SIGNATURE)) return decodePng(data, name);
  if (standsAt(data, "\xff\xd8\xff")) return decodeJpeg(data, name);
  throw corrupt(
    `${name}: content is not an image, expected ${FORMATS.join(" or ")}`,
    "the content decides, not the ending of the name",
  );
}

async function decodeJpeg(data, name) {
  const segments = checkJpeg(data, name);
  checkSize(segments.frame.width, segments.frame.height, name);
  const { width, height, rgba, isGrey, orientation } = await jpegPixels(segments, name);
  const colour = { width, height, colour: rgba, step: 4 };
  return finished({ width, height, grey: greyOfRgb(rgba, 4) }, orientation, isGrey ? null : colour, name);
}

async function decodePng(data, name) {
  const png = readChunks(data, name);
  const samples = await readSamples(png, name);
  const { width, height } = png.header;
  checkSize(width, height, name);
  const orientation = await orientationOfPng(png, name);
  const { grey, deep, colour, isColoured } = pixelsOf(png, samples, name);
  const levels = grey ?? (deep ? greyOfDeep(deep) : greyOfRgb(colour));
  const coloured = isColoured ? { width, height, colour, step: 3 } : null;
  return finished({ width, height, grey: levels }, orientation, coloured, name);
}

function finished(image, orientation, colour, name) {
  refuseBlank(image.grey, name);
  return { ...upright(image, orientation), coloured: colour ? colouredShare(colour) : 0 };
}

async function orientationOfPng(png, name) {
  try {
    const { exif, xmp } = await orientingTexts(png.texts, name);
    return orientationOf(png.exif ?? exif, xmp);
  } catch (error) {
    if (!(error instanceof BrokenTags)) throw error;
    throw corrupt(
      `${name}: image is damaged (its metadata cannot be read, so nobody knows which side is up)`,
      "save it upright and without metadata",
    );
  }
}
