// What can be taken away: the lines as brain-infer --json prints them, and images with the evidence.

import { el } from "./dom.js";
import { sheetOf } from "./sheet.js";
import { packed } from "./zip.js";

/** Save lines as JSON, one a line, without what the page draws beside them. */
export function saveLines(lines, name) {
  save(linesBlob(lines), `${stem(name)}.jsonl`);
}

/** Save an answered image as PNG. */
export async function saveSheet(line, facts, name) {
  save(await sheetOf(line, facts), `${stem(name)}.evidence.png`);
}

/** Save the lines and the images of all jobs as one archive. */
export async function saveAll(jobs, facts) {
  const members = [{ name: "answers.jsonl", file: linesBlob(jobs.flatMap((job) => job.lines)) }];
  for (const [at, job] of jobs.entries()) {
    for (const [place, line] of job.lines.entries()) {
      const file = await sheetOf(line, facts);
      const number = [at + 1, place + 1].map((one) => String(one).padStart(3, "0")).join("-");
      if (file) members.push({ name: `${number}-${stem(job.work.name)}.evidence.png`, file });
    }
  }
  save(await packed(members, "answers.zip"), "brain-edge-answers.zip");
}

function linesBlob(lines) {
  const texts = lines.map(({ view, ...line }) => `${JSON.stringify(line)}\n`);
  return new Blob(texts, { type: "application/jsonl" });
}

// The last name of a path, without its ending, of characters that every system takes.
function stem(name) {
  const last = name.split("/").at(-1).replace(/(\.nii\.gz|\.[A-Za-z0-9]{1,5})$/, "");
  return last.replace(/[^\p{L}\p{N}._-]+/gu, "_").replace(/^\.+/, "").slice(0, 80) || "answer";
}

function save(blob, name) {
  const url = URL.createObjectURL(blob);
  const link = el("a", { href: url, download: name });
  document.body.append(link);
  link.click();
  link.remove();
  setTimeout(() => URL.revokeObjectURL(url), 60_000);
}
