// Read a PNG or JPEG as what the one-file model takes: uint8, (height, width, 3) RGB. Refuses what it would get wrong.

import { Failure } from "./failure.mjs";
import { readJpeg } from "./jpeg.mjs";
import { readPng } from "./png.mjs";

const PNG_SIGNATURE = Buffer.from([0x89, 0x50, 0x4e, 0x47]);

/**
 * @param {Buffer} bytes A whole file.
 * @returns {{height: number, width: number, data: Uint8Array}} RGB, row by row.
 */
export function readImage(bytes) {
  if (bytes.length === 0) throw new Failure("corrupt", "file is empty (0 bytes)");
  const image = decode(bytes);
  if (isBlank(image.data)) throw new Failure("unsupported", "image is blank, expected a scan");
  return image;
}

function decode(bytes) {
  if (bytes.subarray(0, 4).equals(PNG_SIGNATURE)) return readPng(bytes);
  if (bytes[0] === 0xff && bytes[1] === 0xd8) return readJpeg(bytes);
  throw new Failure("corrupt", "content is neither PNG nor JPEG");
}

/** The same grey everywhere, by the weights that the model uses. */
function isBlank(data) {
  const grey = (i) => (data[i] * 19595 + data[i + 1] * 38470 + data[i + 2] * 7471 + 0x8000) >> 16;
  const first = grey(0);
  for (let i = 3; i < data.length; i += 3) {
    if (grey(i) !== first) return false;
  }
  return true;
}
