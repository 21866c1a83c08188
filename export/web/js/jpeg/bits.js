// The coded data of one scan of a JPEG as bits, without fill bytes and cut at the restart markers.

import { BrokenJpegError } from "./huffman.js";

const PAST_THE_END = 4; // bytes of zeros that reading may look at

export class JpegBits {
  /** @param {Uint8Array} coded From the scan header to the next marker that is no restart marker. */
  constructor(coded) {
    this._data = new Uint8Array(coded.length + PAST_THE_END);
    /** Position, in bits, after each restart interval. */
    this.ends = [];
    let size = 0;
    let due = 0;
    let partStart = 0;
    for (let at = 0; at < coded.length; ) {
      const byte = coded[at++];
      if (byte !== 0xff) {
        this._data[size++] = byte;
        continue;
      }
      let isFilled = false;
      while (coded[at] === 0xff) (isFilled = true), at++;
      if (at === coded.length) break; // fill bytes before the next marker
      const next = coded[at++];
      if (next === 0) {
        if (isFilled) throw new BrokenJpegError("a fill byte within the data");
        this._data[size++] = 0xff;
        continue;
      }
      if (next !== 0xd0 + due) throw new BrokenJpegError("restart markers out of order");
      due = (due + 1) % 8;
      this.ends.push(8 * size);
      partStart = size;
    }
    // A restart marker after the last block is allowed.
    if (!this.ends.length || size > partStart) this.ends.push(8 * size);
    this._bits = 8 * size;
    this.at = 0;
  }

  /** Read one code and return its symbol. @param {Uint16Array} code Of codeOf. */
  symbol(code) {
    const found = code[this._peek()];
    if (!found) throw new BrokenJpegError("bits that are no code");
    this.at += found >> 8;
    return found & 255;
  }

  /** Read up to 16 bits as a number; bits after the end are 0. */
  number(count) {
    const value = count ? this._peek() >> (16 - count) : 0;
    this.at += count;
    return value;
  }

  /** Move to the end of a restart interval, which must be within the same byte. */
  close(end) {
    if (this.at > end) throw new BrokenJpegError("data are missing");
    if (end - this.at >= 8) throw new BrokenJpegError("more data than blocks");
    this.at = end;
  }

  _peek() {
    if (this.at > this._bits) throw new BrokenJpegError("data are missing");
    const byte = this.at >> 3;
    const three = (this._data[byte] << 16) | (this._data[byte + 1] << 8) | this._data[byte + 2];
    return (three >> (8 - (this.at & 7))) & 0xffff;
  }
}
