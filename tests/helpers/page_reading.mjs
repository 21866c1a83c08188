// node page_reading.mjs MODULES WIDTH HEIGHT < LIST: what the page reads of each file named on a line of standard input.
// Prints a line of JSON for each. Pixels of a JPEG come from FILE.rgba beside it, since Node has no decoder for it.

import { createHash } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import { pathToFileURL } from "node:url";

const [folder, width, height] = process.argv.slice(2);
const at = (name) => import(new URL(name, pathToFileURL(`${folder}/`)));
const { decode } = await at("decode.js");
const { doubtsAbout } = await at("doubts/doubts.js");
const { errorFields } = await at("errors.js");
const { decoder } = await at("jpeg/pixels.js");

for (const file of readFileSync(0, "utf8").split("\n").filter(Boolean)) {
  decoder.decode = async () => {
    if (!existsSync(`${file}.rgba`)) throw new Error("no pixels");
    return new Uint8Array(readFileSync(`${file}.rgba`));
  };
  try {
    const image = await decode(new Uint8Array(readFileSync(file)), "scan");
    const digest = createHash("sha256").update(image.grey).digest("hex");
    const doubts = doubtsAbout(image, { width: Number(width), height: Number(height) });
    console.log(JSON.stringify({ width: image.width, height: image.height, digest, coloured: image.coloured, doubts }));
  } catch (error) {
    console.log(JSON.stringify({ error: errorFields(error), stack: error.code ? undefined : String(error.stack) }));
  }
}
