// The pixels of a JPEG that was checked, by the browser's own decoder.

import { joined, latin1 } from "../bytes.js";
import { corrupt, unsupported } from "../errors.js";
import { BrokenTags, imagesIn, orientationOf } from "../exif.js";

const [JFIF, EXIF_OR_XMP, ICC_OR_MPF, ADOBE] = [0xe0, 0xe1, 0xe2, 0xee];
const KEPT_APPLICATIONS = new Set([JFIF, ADOBE]);
const XMP = "http://ns.adobe.com/xap/1.0/\0";

/** What decodes bytes of a JPEG to RGBA; a test outside of a browser sets its own. */
export const decoder = { decode: inBrowser };

/**
 * @param {object} segments Of checkJpeg. @param {string} name For messages.
 * @returns {Promise<object>} width, height, RGBA (Uint8Array), isGrey, orientation.
 */
export async function jpegPixels(segments, name) {
  const { width, height, components } = segments.frame;
  if (components.length === 4) {
    throw unsupported(
      `${name}: JPEG has four channels (CMYK), which browsers decode in different ways, expected grey or colour`,
      "save it as grey or RGB, or give it to brain-serve or brain-infer, which read it",
    );
  }
  if (components.length !== 1 && components.length !== 3) {
    throw corrupt(`${name}: content is not an image, expected JPEG or PNG`);
  }
  const orientation = orientationOfJpeg(segments, name);
  const rgba = await decoder.decode(plain(segments), width, height, name);
  return { width, height, rgba, isGrey: components.length === 1, orientation };
}

function orientationOfJpeg({ applications }, name) {
  const starting = (marker, start) =>
    applications
      .filter(([found, body]) => found === marker && latin1(body.subarray(0, start.length)) === start)
      .map(([, body]) => body);
  try {
    const multi = starting(ICC_OR_MPF, "MPF\0").at(-1);
    if (multi && imagesIn(multi.subarray(4)) > 1) {
      throw unsupported(
        `${name}: image has several frames or pages, expected one`,
        "save the slice you want as an image of its own",
      );
    }
    const exif = starting(EXIF_OR_XMP, "Exif\0\0").map((body) => body.subarray(6));
    const xmp = starting(EXIF_OR_XMP, XMP).at(-1)?.subarray(XMP.length);
    return orientationOf(exif.length ? joined(exif) : null, xmp);
  } catch (error) {
    if (!(error instanceof BrokenTags)) throw error;
    throw corrupt(
      `${name}: image is damaged (its metadata cannot be read, so nobody knows which side is up)`,
      "save it upright and without metadata",
    );
  }
}

/** The file without what browsers might apply on their own: orientation, colour profile. */
function plain({ kept }) {
  const parts = [Uint8Array.of(0xff, 0xd8)];
  for (const [marker, bytes] of kept) {
    if (marker === 0) parts.push(bytes);
    else if (marker < 0xe0 || KEPT_APPLICATIONS.has(marker)) parts.push(Uint8Array.of(0xff, marker), bytes);
  }
  parts.push(Uint8Array.of(0xff, 0xd9));
  return joined(parts);
}

async function inBrowser(bytes, width, height, name) {
  const failed = () =>
    corrupt(`${name}: image is damaged or cut short (the browser cannot decode it)`, "copy or export the file again");
  let bitmap;
  try {
    bitmap = await createImageBitmap(new Blob([bytes], { type: "image/jpeg" }), {
      colorSpaceConversion: "none",
      premultiplyAlpha: "none",
    });
  } catch {
    throw failed();
  }
  if (bitmap.width !== width || bitmap.height !== height) throw failed();
  const canvas = new OffscreenCanvas(width, height);
  const context = canvas.getContext("2d", { willReadFrequently: true });
  context.drawImage(bitmap, 0, 0);
  bitmap.close();
  return new Uint8Array(context.getImageData(0, 0, width, height).data.buffer);
}
