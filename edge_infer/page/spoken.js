// What became of a job, in a sentence, and which answer is worth showing first.

import { counted } from "./dom.js";
import { entriesOf } from "./entries.js";
import { seriesWords } from "./series_view.js";
import { percent } from "./words.js";

const MOST_NAMED = 3;

/** Return the key of the first entry that can be shown; "" while there is none. */
export function firstKey(jobs) {
  for (const job of jobs) {
    if (job.error) return `${job.id}.e`;
    const entry = entriesOf(job).find(({ kind, line }) => line && (kind !== "error" || job.state !== "running"));
    if (entry) return entry.key;
  }
  return "";
}

/** Say what became of a job. */
export function said(job) {
  if (job.error) return `no answer, ${job.error.message}`;
  return entriesOf(job).map(entrySaid).join("; ");
}

function entrySaid(entry) {
  const { kind, line } = entry;
  if (kind === "series") return seriesWords(entry);
  if (kind === "error") return `no answer, ${line.error.message}`;
  return line.decision === "accept" ? `accepted, ${line.label} ${percent(line.score)}` : "abstains";
}

/** Say which files of a folder were left out; nothing if none was. */
export function leftOutWords(names) {
  if (!names.length) return "";
  const more = names.length > MOST_NAMED ? " …" : "";
  const named = names.slice(0, MOST_NAMED).join(", ");
  return `Left out: ${counted(names.length, "file")} of a folder, no images and no scans or hidden (${named}${more}).`;
}
