// What was dropped, chosen or pasted, as pieces of work: an image or an archive each, and DICOM files together.

import { counted, shownName } from "./dom.js";
import { isLeftOut, kindOf } from "./kinds.js";
import { packed } from "./zip.js";

/**
 * @typedef {object} Work
 * @property {string} name as shown
 * @property {string} detail such as "14 DICOM files"
 * @property {(signal: AbortSignal) => Promise<File>} open what is to be answered
 */

/** Return what a drop holds. Must be called before the event ends, for its items are gone then. */
export function dropped(transfer) {
  const entries = [...transfer.items].map((item) => item.webkitGetAsEntry?.() ?? null);
  if (!entries.some((entry) => entry?.isDirectory)) return Promise.resolve(listed([...transfer.files]));
  return Promise.all(entries.filter(Boolean).map((entry) => walked(entry, ""))).then((found) => found.flat());
}

/** Return files of a list as they were chosen; of a folder with the way to each. */
export function listed(files) {
  return files.map((file) => ({ file, path: file.webkitRelativePath || file.name, named: !file.webkitRelativePath }));
}

/**
 * Sort files into pieces of work.
 * @param {{file: File, path: string, named: boolean}[]} found named: by itself, and not in a folder
 * @returns {Promise<{works: Work[], leftOut: string[]}>}
 */
export async function workOf(found) {
  const works = [];
  const leftOut = [];
  const dicom = [];
  for (const one of [...found].sort((a, b) => a.path.localeCompare(b.path, "en", { numeric: true }))) {
    const { file, path, named } = one;
    const kind = await kindOf(file).catch(() => "unread");
    const isUnasked = !named && (isLeftOut(file.name) || kind === "zip" || kind === "other");
    if (isUnasked) leftOut.push(path);
    else if (kind === "dicom") dicom.push(one);
    else works.push({ name: shownName(path), detail: "", open: async () => file });
  }
  for (const study of grouped(dicom)) works.push(studyWork(study));
  return { works, leftOut: leftOut.map(shownName) };
}

// Files that were dropped by themselves belong together, and so do those of one folder.
function grouped(found) {
  const groups = new Map();
  for (const one of found) {
    const folder = one.path.includes("/") ? one.path.split("/")[0] : "";
    if (!groups.has(folder)) groups.set(folder, []);
    groups.get(folder).push(one);
  }
  return groups.values();
}

function studyWork(found) {
  const [{ path, file }] = found;
  if (found.length === 1) return { name: shownName(path), detail: "", open: async () => file };
  const name = sharedFolder(found) || "DICOM files";
  const members = found.map((one) => ({ name: one.path, file: one.file }));
  const open = (signal) => packed(members, name, signal);
  return { name: shownName(name), detail: counted(found.length, "DICOM file"), open };
}

function sharedFolder(found) {
  const folders = found.map(({ path }) => path.split("/").slice(0, -1));
  const [first] = folders;
  let depth = first.length;
  while (depth && !folders.every((one) => first.slice(0, depth).every((name, i) => one[i] === name))) depth--;
  return first.slice(0, depth).join("/");
}

async function walked(entry, way) {
  const path = way + entry.name;
  if (entry.isFile) {
    const file = await new Promise((done, failed) => entry.file(done, failed)).catch(() => null);
    return file ? [{ file, path, named: !way }] : [];
  }
  const reader = entry.createReader();
  const found = [];
  for (;;) {
    // Chromium gives a hundred at a time.
    const some = await new Promise((done, failed) => reader.readEntries(done, failed)).catch(() => []);
    if (!some.length) return found;
    for (const one of some) found.push(...(await walked(one, `${path}/`)));
  }
}
