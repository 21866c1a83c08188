// The orientation that a camera or a viewer noted; docs of tag 0x0112: Exif 2.32, section 4.6.4.

const ORIENTATION = 0x0112;
const ENTRY_BYTES = 12;

/** Of a TIFF header and its first folder of tags; 1 (upright) where there is none. */
export function exifOrientation(tiff) {
  if (tiff.length < 8) return 1;
  const isLittle = tiff[0] === 0x49;
  const u16 = (at) => {
    if (at + 2 > tiff.length) return 0;
    return isLittle ? tiff.readUInt16LE(at) : tiff.readUInt16BE(at);
  };
  const start = isLittle ? tiff.readUInt32LE(4) : tiff.readUInt32BE(4);
  const end = Math.min(start + 2 + ENTRY_BYTES * u16(start), tiff.length);
  for (let entry = start + 2; entry < end; entry += ENTRY_BYTES) {
    if (u16(entry) === ORIENTATION) return u16(entry + 8);
  }
  return 1;
}
