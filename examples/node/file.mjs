// Read a whole file, or say plainly why that is not possible.

import { readFileSync, statSync } from "node:fs";

import { Failure } from "./failure.mjs";

const REASONS = { ENOENT: "no such file", ENOTDIR: "no such file", EACCES: "no permission", EPERM: "no permission" };

/**
 * @param {string} path Of a regular file.
 * @param {number} most Bytes that it may have.
 * @returns {Buffer}
 */
export function readFile(path, most = Infinity) {
  try {
    const found = statSync(path);
    if (found.isDirectory()) throw new Failure("unreadable", "is a folder, expected a file");
    if (!found.isFile()) throw new Failure("unreadable", "is not a regular file");
    if (found.size > most) throw new Failure("over_limit", `file is larger than ${most / 2 ** 20} MiB`);
    return readFileSync(path);
  } catch (error) {
    if (error instanceof Failure) throw error;
    throw new Failure("unreadable", `cannot be read (${REASONS[error.code] ?? error.code ?? "too large"})`);
  }
}
