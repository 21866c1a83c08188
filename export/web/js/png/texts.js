// Texts of a PNG that may state its orientation: EXIF as ImageMagick writes it, and XMP.

import { latin1 } from "../bytes.js";
import { overLimit } from "../errors.js";
import { BrokenTags } from "../exif.js";
import { inflate } from "./inflate.js";

const MAX_TEXT = 2 ** 20;

/**
 * @param {{kind: string, keyword: string, body: Uint8Array}[]} texts Each after its keyword.
 * @returns {Promise<{exif: Uint8Array|null, xmp: Uint8Array|null}>}
 */
export async function orientingTexts(texts, name) {
  let [exif, xmp] = [null, null];
  for (const { kind, keyword, body } of texts) {
    const text = await unpacked(kind, body, name);
    if (keyword === "XML:com.adobe.xmp") xmp = text ?? xmp;
    else if (text) exif = fromHex(latin1(text).split("\n").slice(3).join(""));
  }
  return { exif, xmp };
}

async function unpacked(kind, body, name) {
  let packed = body;
  if (kind === "iTXt") {
    // Flag, method, language, 0, translated keyword, 0, text (PNG 1.2, 4.2.3.3).
    const first = body.indexOf(0, 2);
    const second = first < 0 ? -1 : body.indexOf(0, first + 1);
    if (second < 0) return null;
    packed = body.subarray(second + 1);
    if (body[0] === 0) return bounded(packed, name);
  } else if (kind === "tEXt") {
    return bounded(packed, name);
  } else {
    packed = body.subarray(1);
  }
  try {
    return await inflate([packed], MAX_TEXT);
  } catch {
    throw tooLong(name);
  }
}

function bounded(text, name) {
  if (text.length > MAX_TEXT) throw tooLong(name);
  return text;
}

function tooLong(name) {
  return overLimit(
    `${name}: PNG has metadata that cannot be unpacked or of more than 1 MiB, too long to find its orientation in`,
    "save it upright and without metadata",
  );
}

function fromHex(text) {
  const digits = text.replace(/\s/g, "");
  if (digits.length % 2 || /[^0-9a-f]/i.test(digits)) throw new BrokenTags();
  const pairs = digits.match(/../g) ?? [];
  return Uint8Array.from(pairs, (pair) => parseInt(pair, 16));
}
