// The files of this folder, each fetched from beside the page and compared with the list in manifest.json.

import { BrainError } from "./errors.js";
import { sha256 } from "./sha256.js";

const AGAIN = "copy the folder again as a whole, then reload the page without its cache (Ctrl+Shift+R)";

/**
 * Fetch everything that manifest.json lists.
 *
 * @param {URL} base The folder.
 * @param {(done: number, total: number) => void} tell
 * @returns {Promise<{manifest: object, files: Map<string, Uint8Array>}>}
 */
export async function readFolder(base, tell = () => {}) {
  const manifest = JSON.parse(new TextDecoder().decode(await fetched(base, "manifest.json")));
  const files = new Map();
  const names = Object.keys(manifest.files);
  await Promise.all(
    names.map(async (name) => {
      const bytes = await fetched(base, name);
      const { sha256: digest, size_bytes: size } = manifest.files[name];
      if (bytes.length !== size || (await sha256(bytes)) !== digest) {
        throw new BrainError("bundle_integrity", `${name}: is not the file that manifest.json lists`, AGAIN);
      }
      files.set(name, bytes);
      tell(files.size, names.length);
    }),
  );
  return { manifest, files };
}

async function fetched(base, name) {
  let response;
  try {
    response = await fetch(new URL(name, base), { cache: "no-cache", redirect: "error", credentials: "same-origin" });
  } catch {
    throw new BrainError("bundle_incomplete", `${name}: cannot be fetched`, "see whether the server still runs");
  }
  if (!response.ok) {
    throw new BrainError("bundle_incomplete", `${name}: the server answers ${response.status}`, AGAIN);
  }
  return new Uint8Array(await response.arrayBuffer());
}
