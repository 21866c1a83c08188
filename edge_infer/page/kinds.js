// What a file holds, told by its first bytes: enough to know which files belong together. Who answers looks again.

const IMAGES = /\.(bmp|jpe?g|png|tiff?)$/i;
const HEATMAP = /\.heatmap\.png$/i;
const DICOM_NAME = /\.(dcm|dicom|ima)$/i;
const NIFTI_NAME = /\.nii(\.gz)?$/i;
const START = 512;

/**
 * Return "dicom", "nifti", "zip", "image" or "other".
 * @param {File} file
 */
export async function kindOf(file) {
  const start = new Uint8Array(await file.slice(0, START).arrayBuffer());
  const text = (from, length) => String.fromCharCode(...start.slice(from, from + length));
  if (text(0, 4) === "PK\x03\x04" || text(0, 4) === "PK\x05\x06") return "zip";
  if (text(128, 4) === "DICM" || text(0, 4) === "DICM" || isBareDicom(start)) return "dicom";
  if (["n+1\0", "ni1\0"].includes(text(344, 4)) || NIFTI_NAME.test(file.name)) return "nifti";
  if (IMAGES.test(file.name) || file.type.startsWith("image/")) return "image";
  return DICOM_NAME.test(file.name) ? "dicom" : "other";
}

/** Whether a file in a folder is one of those that are never answered unasked: hidden files, drawn heatmaps. */
export function isLeftOut(name) {
  return name.startsWith(".") || HEATMAP.test(name);
}

// Without its preamble, a file starts with an element of group 2 or 8 (PS3.10, 7.1; PS3.5, 7.1).
function isBareDicom(start) {
  const [group, high, element, , first, second] = start;
  const isLetter = (byte) => byte >= 65 && byte <= 90;
  return (group === 2 || group === 8) && high === 0 && element < 0x20 && isLetter(first) && isLetter(second);
}
