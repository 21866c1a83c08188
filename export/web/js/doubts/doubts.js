// Doubts about readable images, found before the graph runs, in the order of edge_infer/doubts.py.

import { roundedHalfToEven } from "../grey.js";
import { lightLine, oddShape, severalSlices } from "./layout.js";
import { tooFewGreyLevels } from "./levels.js";
import { blurred, coarseJpeg, noisy } from "./quality.js";
import { blankRim, inverted } from "./rim.js";
import { samplesOf } from "./samples.js";
import { burntInText } from "./text.js";

const COLOURED = 0.0002;

/**
 * @param {{width: number, height: number, grey: Uint8Array, coloured: number}} image Upright, not yet resized.
 * @param {{width: number, height: number}} modelSize Pixels.
 * @returns {{reason: string, note: string}[]}
 */
export function doubtsAbout(image, modelSize) {
  const samples = samplesOf(image);
  const [noise, inversion] = [noisy(samples), inverted(samples)];
  // An inverted scan's background is light from edge to edge, and strong noise jumps as letters do.
  const line = inversion ? null : lightLine(samples);
  const text = noise ? null : burntInText(samples);
  return [
    tooSmall(image, modelSize),
    oddShape(image.width, image.height) ?? severalSlices(samples) ?? line,
    colourOverlay(image.coloured),
    text,
    blankRim(samples),
    inversion,
    tooFewGreyLevels(samples),
    noise ?? blurred(samples) ?? coarseJpeg(samples),
  ].filter(Boolean);
}

function tooSmall(image, { width, height }) {
  if (image.width >= width / 2 && image.height >= height / 2) return null;
  const note = `image is ${image.width} x ${image.height} pixels and was enlarged more than twice to ${width} x ${height}`;
  return { reason: "too_small", note };
}

function colourOverlay(coloured) {
  if (coloured <= COLOURED) return null;
  const note =
    `${twoDigits(100 * coloured)} % of the pixels have a colour of their own: ` +
    "the image may be marked, a screenshot or a photograph";
  return { reason: "colour_overlay", note };
}

/** Python's format .2g of a number of 0.001 to 100. */
function twoDigits(number) {
  const exponent = Number(number.toExponential(15).split("e")[1]);
  const digits = roundedHalfToEven(number * 10 ** (1 - exponent));
  const rounded = digits / 10 ** (1 - exponent);
  return rounded >= 100 ? "1e+02" : String(Number(rounded.toPrecision(2)));
}
