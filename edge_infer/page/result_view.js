// The entry that was chosen, in full, with what can be saved of it and which model answered.

import { answerView, errorCard } from "./answer_view.js";
import { el } from "./dom.js";
import { saveLines, saveSheet } from "./download.js";
import { entriesOf } from "./entries.js";
import { entryName } from "./list_view.js";
import { seriesView, shownSlice } from "./series_view.js";

/** Return what belongs to a key of a list's entry: its job and the entry, which is null for an error of the job. */
export function found(key, jobs) {
  const job = jobs.find(({ id }) => key.startsWith(`${id}.`));
  if (!job) return null;
  const entries = entriesOf(job);
  const entry = entries.find((one) => one.key === key) ?? null;
  return entry || job.error ? { job, entry, isOnly: entries.length === 1 } : null;
}

/** Return the elements of the result; onRetry is called with a job that is to be answered again. */
export function resultView({ job, entry, isOnly }, facts, onRetry) {
  const name = isOnly || !entry ? job.work.name : `${job.work.name} · ${entryName(entry)}`;
  const title = el("h2", { text: name, tabIndex: -1 });
  if (!entry || entry.kind === "error") {
    const again = job.state === "failed" ? el("button", { type: "button", text: "Try again", onclick: () => onRetry(job) }) : null;
    return [title, errorCard(entry?.line.error ?? job.error), again].filter(Boolean);
  }
  if (entry.kind === "series" && !entry.line) {
    return [title, el("p", { text: "The slices are there, the result of the series is not: it was cancelled, or is still being answered." })];
  }
  const view = entry.kind === "series" ? seriesView(entry, facts, name) : answerView(entry.line, facts, name);
  return [title, view, saving(job, entry, facts), origin(entry.line)];
}

function saving(job, entry, facts) {
  const isSeries = entry.kind === "series";
  const lines = isSeries ? [...entry.slices, entry.line] : [entry.line];
  const shown = () => (isSeries ? entry.slices[shownSlice(entry, facts.negative)] : entry.line);
  const suffix = () => (isSeries ? `-slice-${shown().scan.number}` : "");
  const button = (text, action) => el("button", { type: "button", text, onclick: action });
  return el(
    "div",
    { class: "saving" },
    button("Save as JSON", () => saveLines(lines, job.work.name)),
    button(isSeries ? "Save this slice as PNG" : "Save as PNG", () => saveSheet(shown(), facts, `${job.work.name}${suffix()}`)),
  );
}

function origin({ model, runtime, source_sha256: digest, timings_ms: times, research_use_only: notice }) {
  const rows = [
    ["Model", `${model.name}, ${model.precision}`],
    ["Digest of its manifest", model.manifest_sha256],
    digest && ["Digest of the image", digest],
    ["Runtime", `${runtime.provider}, ${Object.entries(runtime.versions).map((pair) => pair.join(" ")).join(", ")}`],
    times && ["Time", Object.entries(times).map(([step, ms]) => `${step} ${ms.toFixed(1)} ms`).join(", ")],
    ["Notice", notice],
  ].filter(Boolean);
  const list = rows.map(([name, text]) => el("div", {}, el("dt", { text: name }), el("dd", { text })));
  return el("details", { class: "origin" }, el("summary", { text: `Answered by ${model.name}, ${model.precision}, ${model.manifest_sha256.slice(0, 12)}` }), el("dl", { class: "facts" }, ...list));
}
