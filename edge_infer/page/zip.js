// A ZIP archive whose members are stored as they are, so that the files of a study travel as one (APPNOTE.TXT, 4.3).

const MOST_FILES = 0xffff;
const MOST_BYTES = 0xffffffff;
const UTF8_NAMES = 0x0800;
// 1 January 1980: dates of files are nobody's business.
const DATE = 0x21;

const TABLE = Uint32Array.from({ length: 256 }, (_, value) => {
  for (let bit = 0; bit < 8; bit++) value = value & 1 ? (value >>> 1) ^ 0xedb88320 : value >>> 1;
  return value;
});

/** Return the CRC-32 of bytes. */
export function crc32(bytes) {
  let crc = ~0;
  for (let i = 0; i < bytes.length; i++) crc = (crc >>> 8) ^ TABLE[(crc ^ bytes[i]) & 0xff];
  return ~crc >>> 0;
}

/**
 * Pack files. Their content is read once, for its sum, and never copied.
 * @param {{name: string, file: Blob}[]} members
 * @param {string} name of the archive
 * @param {AbortSignal} [signal]
 * @returns {Promise<File>}
 */
export async function packed(members, name, signal) {
  const parts = [];
  const index = [];
  let offset = 0;
  if (members.length > MOST_FILES) throw new RangeError(`more than ${MOST_FILES} files`);
  for (const [path, file] of withOwnNames(members)) {
    signal?.throwIfAborted();
    const bytes = new TextEncoder().encode(path);
    const sum = crc32(new Uint8Array(await file.arrayBuffer()));
    const shared = fields([2, 20], [2, UTF8_NAMES], [2, 0], [2, 0], [2, DATE], [4, sum], [4, file.size], [4, file.size], [2, bytes.length], [2, 0]);
    parts.push(fields([4, 0x04034b50]), shared, bytes, file);
    index.push(fields([4, 0x02014b50], [2, 20]), shared, fields([2, 0], [2, 0], [2, 0], [4, 0], [4, offset]), bytes);
    offset += 30 + bytes.length + file.size;
    if (offset > MOST_BYTES) throw new RangeError("more than 4 GiB");
  }
  const size = index.reduce((sum, part) => sum + part.length, 0);
  const end = fields([4, 0x06054b50], [2, 0], [2, 0], [2, members.length], [2, members.length], [4, size], [4, offset], [2, 0]);
  return new File([...parts, ...index, end], name, { type: "application/zip" });
}

function withOwnNames(members) {
  const seen = new Set();
  return members.map(({ name, file }, place) => {
    const own = seen.has(name) ? `${place + 1}/${name}` : name;
    seen.add(own);
    return [own, file];
  });
}

function fields(...pairs) {
  const view = new DataView(new ArrayBuffer(pairs.reduce((sum, [size]) => sum + size, 0)));
  let at = 0;
  for (const [size, value] of pairs) {
    if (size === 2) view.setUint16(at, value, true);
    else view.setUint32(at, value, true);
    at += size;
  }
  return new Uint8Array(view.buffer);
}
