// Formats that are recognised by content but not read, so that the error can name them: edge_infer/formats/foreign.py.

import { latin1, standsAt, viewOf } from "./bytes.js";

const MAGICS = [
  [128, "DICM", "DICOM"], [0, "DICM", "DICOM"],
  [344, "n+1\0", "NIfTI"], [344, "ni1\0", "NIfTI, a pair of .hdr and .img"],
  [4, "n+2\0\r\n\x1a\n", "NIfTI-2"], [4, "ni2\0\r\n\x1a\n", "NIfTI-2, a pair of .hdr and .img"],
  [0, "NRRD0", "NRRD"], [0, "ObjectType ", "MetaImage"], [0, "ObjectType=", "MetaImage"], [0, "NDims ", "MetaImage"],
  [0, "!INTERFILE", "Interfile"], [0, "# vtk DataFile", "VTK"], [0, "# === DATA DESCRIPTION FILE", "Philips PAR/REC"],
  [0, "IMGF", "GE Signa"], [0, "\x1f\x8b", "gzip (perhaps .nii.gz)"],
  [0, "BM", "BMP"], [0, "II*\0", "TIFF"], [0, "MM\0*", "TIFF"], [0, "II+\0", "BigTIFF"], [0, "MM\0+", "BigTIFF"],
  [0, "GIF8", "GIF"], [8, "WEBP", "WebP"],
  [0, "\0\0\0\x0cjP", "JPEG 2000"], [0, "\xff\x4f\xff\x51", "JPEG 2000"],
  [0, "\0\0\0\x0cJXL ", "JPEG XL"], [0, "\xff\x0a", "JPEG XL"], [0, "II\xbc", "JPEG XR"],
  [0, "8BPS", "Photoshop"], [0, "%!PS", "PostScript"], [0, "%PDF", "PDF"], [0, "Pf\n", "PFM"], [0, "PF\n", "PFM"],
  [0, "icns", "Apple icon"], [0, "\x8aMNG", "MNG"], [0, "\x8bJNG", "JNG"], [0, "qoif", "QOI"], [0, "BPG\xfb", "BPG"],
  [0, "FLIF", "FLIF"], [0, "DDS ", "DDS"], [0, "\x01\xda", "SGI"], [0, "\x59\xa6\x6a\x95", "Sun raster"],
  [0, "gimp xcf", "GIMP"], [0, "\x76\x2f\x31\x01", "OpenEXR"], [0, "#?RADIANCE", "Radiance HDR"],
  [0, "#?RGBE", "Radiance HDR"], [0, "AT&TFORM", "DjVu"], [0, "\xd7\xcd\xc6\x9a", "Windows metafile"],
  [40, " EMF", "Windows metafile"], [0, "SIMPLE  =", "FITS"], [0, "\x93NUMPY", "NumPy array (.npy)"],
  [0, "\x89HDF\r\n\x1a\n", "HDF5 (perhaps MINC or MATLAB 7.3)"],
  [0, "CDF\x01", "NetCDF (perhaps MINC)"], [0, "CDF\x02", "NetCDF (perhaps MINC)"],
  [0, "MATLAB 5.0 MAT-file", "MATLAB"], [0, "MATLAB 7.3 MAT-file", "MATLAB"],
  [0, "PK\x03\x04", "ZIP"], [0, "PK\x05\x06", "ZIP"], [0, "BZh", "bzip2"], [0, "\xfd7zXZ\0", "xz"],
  [0, "\x28\xb5\x2f\xfd", "Zstandard"], [0, "7z\xbc\xaf\x27\x1c", "7-Zip"], [0, "Rar!\x1a\x07", "RAR"],
  [257, "ustar", "tar"], [0, "\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "Microsoft Office"],
  [0, "SQLite format 3\0", "SQLite"], [0, "\x1aE\xdf\xa3", "Matroska or WebM video"],
  [0, "\x5c\x01\0\0", "Analyze 7.5 (.hdr)"], [0, "\0\0\x01\x5c", "Analyze 7.5 (.hdr)"],
];
const BRANDS = { // ISO/IEC 14496-12: the brand behind "ftyp"
  avif: "AVIF", avis: "AVIF", "jxl ": "JPEG XL", "jp2 ": "JPEG 2000", "jpx ": "JPEG 2000", "crx ": "Canon raw",
  heic: "HEIC", heix: "HEIC", hevc: "HEIC", hevx: "HEIC", heim: "HEIC", heis: "HEIC", hevm: "HEIC", hevs: "HEIC",
  mif1: "HEIF", mif2: "HEIF", msf1: "HEIF", miaf: "HEIF", avci: "HEIF", avcs: "HEIF",
};
const VALUE_REPRESENTATIONS = new Set(
  "AE AS AT CS DA DS DT FL FD IS LO LT OB OD OF OL OV OW PN SH SL SQ SS ST SV TM UC UI UL UN UR US UT UV".split(" "),
);
const SCANS = /^(DICOM|NIfTI|Analyze|gzip|ZIP)/;
const UNREAD_JPEG = {
  0xf7: "JPEG-LS", 0xc3: "lossless JPEG", 0xcb: "lossless JPEG", 0xc5: "hierarchical JPEG", 0xc6: "hierarchical JPEG",
  0xc7: "hierarchical JPEG", 0xcd: "hierarchical JPEG", 0xce: "hierarchical JPEG", 0xcf: "hierarchical JPEG",
  0xde: "hierarchical JPEG",
};

/** Name a known format that is not accepted, or null. @param {Uint8Array} data Of a whole file. */
export function nameOfForeignFormat(data) {
  if (standsAt(data, "\xff\xd8\xff") || standsAt(data, "\x89PNG\r\n\x1a\n")) return medical(data) ?? unreadJpeg(data);
  const magic = MAGICS.find(([at, text]) => standsAt(data, text, at));
  return magic?.[2] ?? bareDicom(data) ?? isoMedia(data) ?? netpbm(data) ?? text(data);
}

export function hintFor(name) {
  if (SCANS.test(name)) return "brain-serve and brain-infer read scans; this page without a server does not";
  if (/TIFF|BMP/.test(name)) return "save it as PNG, or give it to brain-serve or brain-infer, which read it";
  if (name.startsWith("HTML")) return "download the image again and look at what came";
  return "export the slice as PNG";
}

/** Whatever its first bytes are, a file with DICOM's mark behind the preamble is one. */
function medical(data) {
  return MAGICS.slice(0, 6).find(([at, text]) => standsAt(data, text, at))?.[2] ?? null;
}

function unreadJpeg(data) {
  const [marker, body] = frameHeader(data);
  if (UNREAD_JPEG[marker]) return UNREAD_JPEG[marker];
  if ((marker === 0xc9 || marker === 0xca) && !latin1(data).includes("\xff\xc4")) return "arithmetic-coded JPEG";
  const isBaseline = marker >= 0xc0 && marker <= 0xc2;
  if (isBaseline && body.length >= 6 && (body[0] === 12 || body[0] === 16)) return `${body[0]}-bit JPEG`;
  return null;
}

/** The marker of the first frame header and its content; 0 if there is none before the first scan. */
function frameHeader(data) {
  if (!standsAt(data, "\xff\xd8\xff")) return [0, []];
  for (let at = 2; data[at] === 0xff; ) {
    const start = at;
    while (data[at] === 0xff && at - start < 4096) at++;
    const marker = data[at++];
    if (!marker || marker === 0xff) break;
    if (marker === 0x01 || (marker >= 0xd0 && marker <= 0xd8)) continue;
    const length = (data[at] << 8) | data[at + 1];
    const isFrame = marker >= 0xc0 && marker <= 0xcf && ![0xc4, 0xc8, 0xcc].includes(marker);
    if (isFrame || marker === 0xde || marker === 0xf7) return [marker, data.subarray(at + 2, at + length)];
    if (length < 2 || marker === 0xda) break;
    at += length;
  }
  return [0, []];
}

function bareDicom(data) {
  if (data.length < 8) return null;
  for (const isLittle of [true, false]) {
    const [group, element] = [viewOf(data).getUint16(0, isLittle), viewOf(data).getUint16(2, isLittle)];
    if (![2, 4, 8].includes(group) || element > 0x2000) continue;
    if (VALUE_REPRESENTATIONS.has(latin1(data.subarray(4, 6)))) return "DICOM (without its preamble)";
    const length = viewOf(data).getUint32(4, isLittle);
    if (length < 1 || length > 1024 || length % 2 || 12 + length > data.length) continue;
    const [nextGroup, nextElement] = [8, 10].map((at) => viewOf(data).getUint16(at + length, isLittle));
    const isLater = nextGroup > group || (nextGroup === group && nextElement > element);
    if (isLater && nextGroup <= 0x10) return "DICOM (without its preamble)";
  }
  return null;
}

function isoMedia(data) {
  if (!standsAt(data, "ftyp", 4)) return null;
  const size = Math.min(viewOf(data).getUint32(0), data.length, 256);
  const brands = [latin1(data.subarray(8, 12))];
  for (let at = 16; at < size - 3; at += 4) brands.push(latin1(data.subarray(at, at + 4)));
  const names = brands.map((brand) => BRANDS[brand]).filter(Boolean);
  if (!names.length) return "MP4, QuickTime or another video";
  return names.find((name) => name !== "HEIF") ?? "HEIF";
}

function netpbm(data) {
  const match = /^P([1-7])\s/.exec(latin1(data.subarray(0, 3)));
  return match && `Netpbm (PBM, PGM or PPM: P${match[1]})`;
}

function text(data) {
  const start = latin1(data.subarray(0, 4096)).replace(/^\xef\xbb\xbf/, "").trimStart().toLowerCase();
  if (start.startsWith("version https://git-lfs")) return "Git LFS pointer";
  if (/^<(!doctype\s+html|html|head|body|script|meta|title)/.test(start)) return "HTML (a web page, perhaps a log-in)";
  if (/^(<\?xml.*)?<svg[\s>]/s.test(start)) return "SVG";
  if (start.startsWith("<?xml")) return "XML";
  return data.length >= 32 && !/[\x00-\x08\x0e-\x1a\x1c-\x1f\x7f]/.test(start) && isUtf8(data) ? "text" : null;
}

function isUtf8(data) {
  return !new TextDecoder().decode(data.subarray(0, 4096)).slice(0, -4).includes("\ufffd");
}
