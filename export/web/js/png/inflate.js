// Unpack zlib data with the browser's own decoder, no further than a given size.

import { joined } from "../bytes.js";

/** There is more than was allowed. */
export class TooMuch extends Error {}

/**
 * @param {Uint8Array[]} parts Of one zlib stream.
 * @param {number} most Bytes.
 * @returns {Promise<Uint8Array>}
 * @throws {TooMuch} It unpacks to more.
 * @throws {TypeError} It is no zlib stream, a checksum is wrong, it is cut short, or bytes follow it.
 */
export async function inflate(parts, most) {
  const reader = new Blob(parts).stream().pipeThrough(new DecompressionStream("deflate")).getReader();
  const found = [];
  let size = 0;
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return joined(found);
    size += value.length;
    found.push(value);
    if (size > most) {
      reader.cancel().catch(() => {});
      throw new TooMuch();
    }
  }
}
