// The pixels of a PNG as the runtime sees them: grey, or RGB on black; deep grey as it was stored.

import { onBlack } from "../grey.js";
import { corrupt } from "../errors.js";

const [GREY, RGB, PALETTE, GREY_ALPHA] = [0, 2, 3, 4];
const SCALES = { 1: 255, 2: 85, 4: 17, 8: 1 };

/**
 * @param {object} png Of readChunks.
 * @param {object} samples Of readSamples.
 * @returns {object} One of {grey}, {deep} and {colour}: Uint8Array, Uint16Array, Uint8Array of RGB; {isColoured} says
 *   whether there can be colours.
 */
export function pixelsOf(png, { samples, channels }, name) {
  const { depth, colour } = png.header;
  const clear = png.transparency;
  if (colour === GREY) return greyOf(samples, depth, clear, name);
  if (colour === PALETTE) return { colour: ofPalette(samples, png, name), isColoured: true };
  const pixels = samples.length / channels;
  const rgb = new Uint8Array(3 * pixels);
  const isRgb = colour === RGB;
  if (isRgb && clear && clear.length < 6) throw shortTransparency(name);
  for (let i = 0; i < pixels; i++) {
    const at = i * channels;
    for (let channel = 0; channel < 3; channel++) {
      rgb[3 * i + channel] = samples[colour === GREY_ALPHA ? at : at + channel];
    }
    if (!isRgb) onBlack(rgb, 3 * i, samples[at + channels - 1]);
    // Pillow compares the lower eight bits.
    else if (clear && [0, 1, 2].every((c) => rgb[3 * i + c] === clear[2 * c + 1])) rgb.fill(0, 3 * i, 3 * i + 3);
  }
  return { colour: rgb, isColoured: colour !== GREY_ALPHA };
}

function greyOf(samples, depth, clear, name) {
  if (clear && clear.length < 2) throw shortTransparency(name);
  const value = clear ? (clear[0] << 8) | clear[1] : -1;
  if (depth === 16) return { deep: clear ? samples.map((sample) => (sample === value ? 0 : sample)) : samples };
  const scale = SCALES[depth];
  let transparent = clear ? value & 255 : -1;
  if (clear && depth === 1) transparent = value ? 255 : 0;
  return { grey: samples.map((sample) => (sample * scale === transparent ? 0 : sample * scale)) };
}

/** Indices that the palette lacks are grey levels, as in Pillow. */
function ofPalette(samples, { palette, transparency }, name) {
  if (!palette) throw corrupt(`${name}: image is damaged (PNG: the palette is missing)`);
  if (palette.length % 3 || palette.length > 768 || transparency?.length > 256) {
    throw corrupt(`${name}: image is damaged (PNG: a palette of another length)`);
  }
  const colours = Uint8Array.from({ length: 768 }, (_, i) => palette[i] ?? Math.floor(i / 3));
  transparency?.forEach((opacity, i) => onBlack(colours, 3 * i, opacity));
  const rgb = new Uint8Array(3 * samples.length);
  samples.forEach((index, i) => {
    for (let channel = 0; channel < 3; channel++) rgb[3 * i + channel] = colours[3 * index + channel];
  });
  return rgb;
}

function shortTransparency(name) {
  return corrupt(`${name}: image is damaged or cut short (PNG: transparency)`, "copy or export the file again");
}
