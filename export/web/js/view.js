// What the page draws beside an answer: the image as it was read, small enough to look at.

import { joined, viewOf } from "./bytes.js";
import { crc32, PNG_SIGNATURE } from "./png/chunks.js";

const LONGEST_SIDE = 512;

/**
 * @param {{width: number, height: number, grey: Uint8Array}} image
 * @param {{shape: number[], data: Float32Array}} evidence Classes in the order of the probabilities.
 * @returns {Promise<object>} The field `view` of a line, its image as a Blob.
 */
export async function viewOfAnswer(image, evidence) {
  const { width, height, grey } = shrunk(image);
  return { width, height, image: await greyPng(width, height, grey), evidence };
}

/** No side longer than 512 pixels; each pixel is the mean of those it stands for. */
function shrunk({ width, height, grey }) {
  const scale = Math.min(1, LONGEST_SIDE / Math.max(width, height));
  if (scale === 1) return { width, height, grey };
  const [newWidth, newHeight] = [width, height].map((side) => Math.max(1, Math.round(side * scale)));
  const sums = new Float64Array(newWidth * newHeight);
  const counts = new Uint32Array(sums.length);
  for (let y = 0; y < height; y++) {
    const row = Math.floor((y * newHeight) / height) * newWidth;
    for (let x = 0; x < width; x++) {
      const at = row + Math.floor((x * newWidth) / width);
      sums[at] += grey[y * width + x];
      counts[at] += 1;
    }
  }
  return { width: newWidth, height: newHeight, grey: Uint8Array.from(sums, (sum, i) => Math.round(sum / counts[i])) };
}

/** An 8-bit grey PNG. It is written here: a canvas may change what is drawn on it. */
export async function greyPng(width, height, grey) {
  const rows = new Uint8Array(height * (1 + width)); // each begins with its filter, 0
  for (let y = 0; y < height; y++) rows.set(grey.subarray(y * width, (y + 1) * width), y * (1 + width) + 1);
  const packed = new Blob([rows]).stream().pipeThrough(new CompressionStream("deflate"));
  const header = new Uint8Array(13);
  viewOf(header).setUint32(0, width);
  viewOf(header).setUint32(4, height);
  header[8] = 8;
  const signature = Uint8Array.from(PNG_SIGNATURE, (letter) => letter.charCodeAt(0));
  const pixels = new Uint8Array(await new Response(packed).arrayBuffer());
  const chunks = [chunk("IHDR", header), chunk("IDAT", pixels), chunk("IEND", new Uint8Array())];
  return new Blob([signature, ...chunks], { type: "image/png" });
}

function chunk(kind, body) {
  const named = joined([Uint8Array.from(kind, (letter) => letter.charCodeAt(0)), body]);
  const whole = joined([new Uint8Array(4), named, new Uint8Array(4)]);
  viewOf(whole).setUint32(0, body.length);
  viewOf(whole).setUint32(whole.length - 4, crc32(named));
  return whole;
}
