// Huffman tables of a JPEG (ITU-T T.81, annex C and F.2.2.3), as in edge_infer/formats/jpeg/huffman.py.

const MAX_LENGTH = 16;

/** The data contradict the standard or each other; the message says where, without quoting data. */
export class BrokenJpegError extends Error {}

/**
 * @param {Uint8Array} segment A DHT segment after its length.
 * @returns {Map<number, Uint16Array>} By class and number: 0 to 3 for DC, 16 to 19 for AC; each table by the next 16
 *   bits, length << 8 | symbol, 0 where they are no code.
 */
export function readTables(segment) {
  const tables = new Map();
  for (let at = 0; at < segment.length; ) {
    const number = segment[at];
    const counts = segment.subarray(at + 1, at + 17);
    const total = counts.reduce((sum, count) => sum + count, 0);
    const symbols = segment.subarray(at + 17, at + 17 + total);
    if ((number & ~0x10) > 3 || counts.length < MAX_LENGTH || symbols.length < total) {
      throw new BrokenJpegError("a Huffman table is incomplete");
    }
    tables.set(number, { counts, symbols });
    at += 17 + total;
  }
  return tables;
}

/** Prepare a table for lookups; here and not in readTables, since only tables that are used must be right. */
export function codeOf(table) {
  if (table === undefined) throw new BrokenJpegError("a Huffman table is missing");
  table.code ??= built(table);
  return table.code;
}

function built({ counts, symbols }) {
  const table = new Uint16Array(1 << MAX_LENGTH);
  let code = 0;
  let index = 0;
  for (let length = 1; length <= MAX_LENGTH; length++) {
    code <<= 1;
    const count = counts[length - 1];
    if (!count) continue;
    // A code of ones alone is reserved.
    if (code + count >= 1 << length) throw new BrokenJpegError("a Huffman table with more codes than fit");
    const width = 1 << (MAX_LENGTH - length);
    for (let i = 0; i < count; i++, code++, index++) {
      table.fill((length << 8) | symbols[index], code * width, (code + 1) * width);
    }
  }
  return table;
}

const AC_LUMA =
  "100002010303020403050504040000017d01020300041105122131410613516107227114328191a1082342b1c11552d1f0243362" +
  "7282090a161718191a25262728292a3435363738393a434445464748494a535455565758595a636465666768696a737475767778" +
  "797a838485868788898a92939495969798999aa2a3a4a5a6a7a8a9aab2b3b4b5b6b7b8b9bac2c3c4c5c6c7c8c9cad2d3d4d5d6d7" +
  "d8d9dae1e2e3e4e5e6e7e8e9eaf1f2f3f4f5f6f7f8f9fa";
const AC_CHROMA =
  "1100020102040403040705040400010277000102031104052131061241510761711322328108144291a1b1c109233352f0156272" +
  "d10a162434e125f11718191a262728292a35363738393a434445464748494a535455565758595a636465666768696a7374757677" +
  "78797a82838485868788898a92939495969798999aa2a3a4a5a6a7a8a9aab2b3b4b5b6b7b8b9bac2c3c4c5c6c7c8c9cad2d3d4d5" +
  "d6d7d8d9dae2e3e4e5e6e7e8e9eaf2f3f4f5f6f7f8f9fa";

/** What decoders use for a sequential file without tables (T.81, annex K.3). */
export const STANDARD_TABLES = new Map(
  [
    "0000010501010101010100000000000000000102030405060708090a0b",
    AC_LUMA,
    "0100030101010101010101010000000000000102030405060708090a0b",
    AC_CHROMA,
  ].flatMap((text) => [...readTables(Uint8Array.from(text.match(/../g), (pair) => parseInt(pair, 16)))]),
);
