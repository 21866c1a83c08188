// SHA-256 of bytes: the browser's own where it gives it, which is in a secure context only (https, or localhost).

/** Whether the browser computes digests itself; without, they are computed here, which is slower and no less right. */
export const HAS_SUBTLE = Boolean(globalThis.crypto?.subtle);

/** @param {Uint8Array} bytes @returns {Promise<string>} 64 hexadecimal digits. */
export async function sha256(bytes) {
  const digest = HAS_SUBTLE ? new Uint8Array(await crypto.subtle.digest("SHA-256", bytes)) : sha256InJs(bytes);
  return Array.from(digest, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** FIPS 180-4, 6.2. @param {Uint8Array} bytes @returns {Uint8Array} 32 bytes. */
export function sha256InJs(bytes) {
  const state = new Int32Array(START);
  const words = new Int32Array(64);
  const whole = bytes.length - (bytes.length % 64);
  for (let at = 0; at < whole; at += 64) addBlock(state, words, bytes, at);
  const rest = bytes.length - whole;
  const tail = new Uint8Array(rest < 56 ? 64 : 128);
  tail.set(bytes.subarray(whole));
  tail[rest] = 0x80;
  const view = new DataView(tail.buffer);
  view.setUint32(tail.length - 8, Math.floor(bytes.length / 2 ** 29));
  view.setUint32(tail.length - 4, (bytes.length * 8) >>> 0);
  for (let at = 0; at < tail.length; at += 64) addBlock(state, words, tail, at);
  const digest = new DataView(new ArrayBuffer(32));
  state.forEach((word, i) => digest.setInt32(4 * i, word));
  return new Uint8Array(digest.buffer);
}

// The fractional parts of the square roots of the first 8 primes, and of the cube roots of the first 64.
const START = roots(8, 1 / 2);
const CONSTANTS = roots(64, 1 / 3);

function roots(count, power) {
  const found = [];
  for (let number = 2; found.length < count; number++) {
    if (isPrime(number)) found.push(((number ** power % 1) * 2 ** 32) | 0);
  }
  return found;
}

function isPrime(number) {
  for (let factor = 2; factor * factor <= number; factor++) if (number % factor === 0) return false;
  return true;
}

function addBlock(state, w, bytes, at) {
  for (let i = 0; i < 16; i++, at += 4) {
    w[i] = (bytes[at] << 24) | (bytes[at + 1] << 16) | (bytes[at + 2] << 8) | bytes[at + 3];
  }
  for (let i = 16; i < 64; i++) {
    const s0 = turn(w[i - 15], 7) ^ turn(w[i - 15], 18) ^ (w[i - 15] >>> 3);
    const s1 = turn(w[i - 2], 17) ^ turn(w[i - 2], 19) ^ (w[i - 2] >>> 10);
    w[i] = (w[i - 16] + s0 + w[i - 7] + s1) | 0;
  }
  let [a, b, c, d, e, f, g, h] = state;
  for (let i = 0; i < 64; i++) {
    const t1 = (h + (turn(e, 6) ^ turn(e, 11) ^ turn(e, 25)) + ((e & f) ^ (~e & g)) + CONSTANTS[i] + w[i]) | 0;
    const t2 = ((turn(a, 2) ^ turn(a, 13) ^ turn(a, 22)) + ((a & b) ^ (a & c) ^ (b & c))) | 0;
    [h, g, f, e, d, c, b, a] = [g, f, e, (d + t1) | 0, c, b, a, (t1 + t2) | 0];
  }
  [a, b, c, d, e, f, g, h].forEach((word, i) => (state[i] = (state[i] + word) | 0));
}

function turn(word, bits) {
  return (word >>> bits) | (word << (32 - bits));
}
