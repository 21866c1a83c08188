// How much of an image has a colour of its own: edge_infer/colour.py says what that is and why.

import { places } from "./thinned.js";

const OWN_COLOUR = 48;
const LINES = 24;
const LENGTH = 1024;
const STEPS = 16;

/**
 * @param {{width: number, height: number, colour: Uint8Array, step: number}} image RGB on black, `step` bytes a pixel.
 * @returns {number} Which share of the sampled pixels has a colour of its own, 0..1.
 */
export function colouredShare(image) {
  const { width, height } = image;
  const sizes = [
    [Math.min(width, LENGTH), Math.min(height, LINES)],
    [Math.min(width, LINES), Math.min(height, LENGTH)],
  ];
  const samples = sizes.map(([across, down]) => sampled(image, across, down)).filter(mayHaveOwn);
  const pixels = samples.flat();
  return pixels.length ? share(pixels) : 0;
}

function sampled({ width, height, colour, step }, across, down) {
  const columns = places(width, across);
  const pixels = [];
  for (const row of places(height, down)) {
    for (const column of columns) {
      const at = (row * width + column) * step;
      pixels.push([colour[at], colour[at + 1], colour[at + 2]]);
    }
  }
  return pixels;
}

function mayHaveOwn(pixels) {
  return pixels.some(([red, green, blue]) => 2 * Math.max(Math.abs(red - green), Math.abs(blue - green)) > OWN_COLOUR);
}

function share(pixels) {
  const steps = pixels.map(([red, green, blue]) => Math.floor((red + green + blue) / Math.floor((3 * 256) / STEPS)));
  const counts = new Array(STEPS).fill(0);
  for (const step of steps) counts[step] += 1;
  const hasOwn = new Uint8Array(pixels.length);
  for (const channel of [0, 2]) {
    const sums = new Array(STEPS).fill(0);
    pixels.forEach((pixel, i) => (sums[steps[i]] += pixel[channel] - pixel[1]));
    pixels.forEach((pixel, i) => {
      const mean = sums[steps[i]] / Math.max(1, counts[steps[i]]);
      if (Math.abs(pixel[channel] - pixel[1] - mean) > OWN_COLOUR) hasOwn[i] = 1;
    });
  }
  return hasOwn.reduce((sum, own) => sum + own, 0) / pixels.length;
}
