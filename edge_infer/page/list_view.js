// What was dropped, with its state: a row for each job, and in it one for each answer.

import { el, shownName } from "./dom.js";
import { entriesOf, shortSource } from "./entries.js";
import { drawable, sizeOf } from "./overlay.js";
import { seriesWords, shownSlice } from "./series_view.js";
import { percent } from "./words.js";

const THUMBNAIL = 88;
const STATES = { waiting: "waiting", running: "being answered", failed: "no answer", cancelled: "cancelled", done: "" };
const MARKS = { accept: "✓", finding: "i", abstain: "!", error: "×", pending: "…" };

/**
 * Return the parts of a job's row.
 * @param {import("./queue.js").Job} job
 * @param {object} facts
 * @param {string} chosen key of the entry that is shown
 * @param {{choose: Function, cancel: Function, retry: Function, remove: Function}} act
 */
export function jobRow(job, facts, chosen, act) {
  const entries = entriesOf(job);
  const only = entries.length === 1 && !job.error && job.state !== "running" ? entries[0] : null;
  const rows = entries.map((entry) => entryButton(entry, job, facts, chosen, only, act));
  if (job.error) rows.push(errorButton(job, chosen, act, !entries.length));
  const isNamed = only || (job.error && !entries.length);
  const body = el("div", { class: "job-body" }, isNamed ? null : head(job), progress(job), ...rows);
  return [body, actions(job, act)];
}

function head(job) {
  const state = job.note || progressWords(job) || STATES[job.state];
  const words = [job.work.detail, state].filter(Boolean).join(" · ");
  return el("p", { class: "job-name" }, el("b", { text: job.work.name }), words ? el("span", { text: words }) : null);
}

function progressWords(job) {
  if (job.state !== "running") return "";
  if (job.total) return `${job.done} of ${job.total}`;
  return job.done ? `${job.done} answered` : "";
}

function progress(job) {
  if (job.state !== "running") return null;
  const bar = el("progress", { "aria-label": `Progress of ${job.work.name}` });
  if (job.total) Object.assign(bar, { max: job.total, value: job.done });
  return bar;
}

function actions(job, act) {
  const button = (text, name, action) =>
    el("button", { type: "button", class: "icon", text, title: name, "aria-label": `${name} ${job.work.name}`, "data-key": `${job.id}.${name}`, onclick: () => action(job) });
  const isOpen = job.state === "waiting" || job.state === "running";
  const isOver = job.state === "failed" || job.state === "cancelled";
  const last = isOpen ? button("×", "Cancel", act.cancel) : button("×", "Remove", act.remove);
  return el("div", { class: "actions" }, isOver ? button("↻", "Retry", act.retry) : null, last);
}

function errorButton(job, chosen, act, isAlone) {
  const name = isAlone ? job.work.name : "No answer";
  return entryElement(`${job.id}.e`, chosen, act, "error", null, name, job.error.message);
}

function entryButton(entry, job, facts, chosen, only, act) {
  const kind = kindOf(entry);
  const name = only ? job.work.name : entryName(entry);
  const detail = only && job.work.detail ? `${job.work.detail} · ${words(entry)}` : words(entry);
  return entryElement(entry.key, chosen, act, kind, thumbnail(entry, facts), name, detail);
}

function entryElement(key, chosen, act, kind, image, name, detail) {
  return el(
    "button",
    { type: "button", class: "entry", "data-key": key, "aria-current": String(key === chosen), onclick: () => act.choose(key) },
    el("span", { class: `thumb ${kind}` }, image, el("b", { text: MARKS[kind], "aria-hidden": "true" })),
    el("span", { class: "entry-words" }, el("b", { text: name }), el("span", { text: shownName(detail) })),
  );
}

function kindOf({ kind, line }) {
  if (kind === "error") return "error";
  if (!line) return "pending";
  if (kind === "series") return line.finding === "abstain" ? "abstain" : "finding";
  return line.decision === "accept" ? "accept" : "abstain";
}

/** Return the name of an entry that is one of several of its job. */
export function entryName({ kind, line, slices }) {
  const place = line?.plane ? ` (${line.plane})` : "";
  if (kind === "series") return `Series ${(line ?? slices[0].scan).number ?? slices[0]?.scan.series}${place}`;
  return shownName(shortSource(line.source));
}

function words(entry) {
  if (entry.kind === "series") return seriesWords(entry);
  if (entry.kind === "error") return entry.line.error.message;
  const nearest = `${entry.line.label} ${percent(entry.line.score)}`;
  return entry.line.decision === "accept" ? `Accepted: ${nearest}` : "Abstains";
}

function thumbnail(entry, facts) {
  const line = entry.kind === "series" ? entry.slices[shownSlice(entry, facts?.negative)] : entry.line;
  if (!line?.view) return null;
  const [width, height] = sizeOf(line.view, THUMBNAIL);
  const canvas = el("canvas", { width, height, "aria-hidden": "true" });
  drawable(line.view).then((scan) => canvas.getContext("2d").drawImage(scan, 0, 0, width, height));
  return canvas;
}
