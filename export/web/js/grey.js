// Pixels to 8-bit grey, with Pillow's weights and rounding: edge_infer/grey.py.

import { unsupported } from "./errors.js";

/** Pillow's luma (Convert.c, L24): BT.601 in 16 bits. @param {Uint8Array} rgb @param {number} step Bytes a pixel. */
export function greyOfRgb(rgb, step = 3) {
  const grey = new Uint8Array(rgb.length / step);
  for (let i = 0, at = 0; i < grey.length; i++, at += step) {
    grey[i] = (rgb[at] * 19595 + rgb[at + 1] * 38470 + rgb[at + 2] * 7471 + 0x8000) >> 16;
  }
  return grey;
}

/** Put one pixel on black, in place; Pillow's AlphaComposite.c with an opaque ground. */
export function onBlack(rgb, at, opacity) {
  if (opacity === 255) return;
  for (let channel = at; channel < at + 3; channel++) {
    const sum = (opacity ? rgb[channel] * opacity * 128 : 0) + (0x80 << 7);
    rgb[channel] = (((sum >>> 8) + sum) >>> 8) >>> 7;
  }
}

/** Scale deep pixels by their largest value, each rounded half to even. @param {Uint16Array} values */
export function greyOfDeep(values) {
  let largest = 0;
  for (const value of values) if (value > largest) largest = value;
  const scale = largest ? 255 / largest : 0;
  const table = new Uint8Array(largest + 1);
  for (let value = 0; value <= largest; value++) table[value] = roundedHalfToEven(value * scale);
  return Uint8Array.from(values, (value) => table[value]);
}

export function roundedHalfToEven(value) {
  const down = Math.floor(value);
  const rest = value - down;
  return rest > 0.5 || (rest === 0.5 && down % 2) ? down + 1 : down;
}

export function refuseBlank(grey, name) {
  const first = grey[0];
  if (grey.some((value) => value !== first)) return;
  throw unsupported(`${name}: image is blank (every pixel is ${first}), expected a scan`);
}

/**
 * Turn an image by its EXIF orientation (EXIF 2.32, tag 0x0112).
 *
 * @param {{width: number, height: number, grey: Uint8Array}} image
 * @param {number} orientation 1 to 8; others leave it as it is, as in Pillow.
 */
export function upright({ width, height, grey }, orientation) {
  if (!(orientation >= 2 && orientation <= 8)) return { width, height, grey };
  const isSwapped = orientation >= 5;
  const [w, h] = isSwapped ? [height, width] : [width, height];
  const [fromRight, fromBottom] = [[2, 3, 7, 8], [3, 4, 6, 7]].map((list) => list.includes(orientation));
  const turned = new Uint8Array(grey.length);
  for (let y = 0; y < h; y++) {
    for (let x = 0; x < w; x++) {
      const [across, down] = isSwapped ? [y, x] : [x, y];
      const column = fromRight ? width - 1 - across : across;
      const row = fromBottom ? height - 1 - down : down;
      turned[y * w + x] = grey[row * width + column];
    }
  }
  return { width: w, height: h, grey: turned };
}
