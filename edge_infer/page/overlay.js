// The scan with the evidence over it: colours and opacity as edge_infer/heatmap.py draws them.

import { normedStrength, relativeStrength } from "./strength.js";

// The two ends of ColorBrewer's RdYlBu, safe for the colour-blind.
export const FOR = [214, 47, 39];
export const AGAINST = [49, 104, 190];
export const OPACITY = 0.6;
// A share of colour that an eye still sees.
const VISIBLE = 0.03;

/** Return an image that a canvas can draw. */
export async function drawable(view) {
  return view.image instanceof Blob ? createImageBitmap(view.image) : view.image;
}

/** Return (width, height) with the longer side of so many pixels. */
export function sizeOf(view, longest) {
  const scale = longest / Math.max(view.width, view.height);
  return [Math.max(1, Math.round(view.width * scale)), Math.max(1, Math.round(view.height * scale))];
}

/** Return the colours of a class as a canvas, at full strength where the evidence is strongest. */
export function colours(evidence, label, negative, [width, height]) {
  const strength = relativeStrength(evidence, label, negative, [width, height]);
  const pixels = new ImageData(width, height);
  for (let place = 0; place < strength.length; place++) {
    const value = strength[place];
    pixels.data.set(value > 0 ? FOR : AGAINST, 4 * place);
    pixels.data[4 * place + 3] = Math.round(255 * Math.abs(value));
  }
  const canvas = document.createElement("canvas");
  Object.assign(canvas, { width, height });
  canvas.getContext("2d").putImageData(pixels, 0, 0);
  return canvas;
}

/** Draw the scan, and the colours if there are any. */
export function paint(canvas, scan, overlay, opacity) {
  const context = canvas.getContext("2d");
  context.globalAlpha = 1;
  context.imageSmoothingEnabled = true;
  context.imageSmoothingQuality = "high";
  context.drawImage(scan, 0, 0, canvas.width, canvas.height);
  if (!overlay) return;
  context.globalAlpha = opacity;
  context.drawImage(overlay, 0, 0, canvas.width, canvas.height);
}

/** Whether any place has a colour that can be seen, and where the strongest one lies, in words. */
export function strongest(evidence, label, negative) {
  const [, height, width] = evidence.shape;
  const values = normedStrength(evidence, label, negative);
  let place = 0;
  const weight = (value) => (label === negative ? -value : value);
  values.forEach((value, index) => {
    if (weight(value) > weight(values[place])) place = index;
  });
  const third = (position, length, names) => names[Math.min(2, Math.floor((3 * position) / length))];
  const row = third(Math.floor(place / width), height, ["upper", "middle", "lower"]);
  const column = third(place % width, width, ["left", "centre", "right"]);
  return { isMarked: weight(values[place]) * OPACITY >= VISIBLE, where: `${row} ${column}` };
}
