// The result for a series: the finding first, then its slices, one of them shown as an image is.

import { answerView, notes, verdict } from "./answer_view.js";
import { chart, scoreName, sliceScore, sliceTable } from "./chart.js";
import { counted, el, shownName } from "./dom.js";
import { findingWords, reasonWords } from "./words.js";

const CONTRAST = { stated: "contrast agent stated", described: "contrast agent described", unknown: "contrast agent unknown" };
const MOST_RUNS = 3;
// By key of the entry: which slice is shown.
const shown = new Map();

/** Return the index of the slice of an entry that is shown. */
export function shownSlice(entry, negative) {
  if (shown.has(entry.key)) return Math.min(shown.get(entry.key), entry.slices.length - 1);
  const first = firstShown(entry, negative);
  if (entry.line) shown.set(entry.key, first);
  return first;
}

/** Return the view of an entry of kind series that is complete. */
export function seriesView(entry, facts, name) {
  const { line, slices } = entry;
  const title = el("h3");
  const slice = el("div");
  const show = (index) => {
    shown.set(entry.key, index);
    const one = slices[index];
    const { number, position_mm: place } = one.scan;
    const at = place === null ? "" : `, at ${place.toFixed(1)} mm`;
    title.textContent = `Slice ${number} of ${slices.length}${at}`;
    slice.replaceChildren(answerView(one, facts, `${name}, slice ${number}`));
  };
  const at = shownSlice(entry, facts.negative);
  const { box, move } = chart(slices, line.scored, facts.negative, at, show);
  const step = (by) => () => {
    const index = Math.min(slices.length - 1, Math.max(0, shown.get(entry.key) + by));
    move(index);
    show(index);
  };
  const table = sliceTable(slices, facts.negative, (index) => {
    move(index);
    show(index);
  });
  show(at);
  const walk = ({ key, target }) => {
    const by = { ArrowLeft: -1, ArrowRight: 1 }[key];
    if (by && !target.matches("input, select")) step(by)();
  };
  const steps = el(
    "div",
    { class: "steps" },
    el("button", { type: "button", text: "← Previous", onclick: step(-1) }),
    el("button", { type: "button", text: "Next →", onclick: step(1) }),
  );
  const heading = el("h4", { text: scoreName(facts.negative) });
  const below = el("div", { class: "slice" }, el("div", { class: "slice-head" }, title, steps), slice);
  return el("div", { class: "series", onkeydown: walk }, finding(line), described(line), heading, box, table, below);
}

function finding(line) {
  const abstains = line.finding === "abstain";
  const title = line.label ? `${findingWords(line.finding)}: ${shownName(line.label)}` : findingWords(line.finding);
  if (abstains) {
    const why = line.reasons.map((reason) => reasonWords(reason, true));
    return verdict("abstain", title, "This is not a result. Do not use it as one.", why);
  }
  // What weakens a finding stands beside it, not below the table.
  const careful = [...new Set(line.warnings)].map((text) => ["", shownName(text)]);
  const lead = `By the rule below, for this series. It is no diagnosis.${careful.length ? " To be read with it:" : ""}`;
  return verdict(careful.length ? "careful" : "finding", title, lead, careful);
}

function described(line) {
  const { sequence, slices, scored } = line;
  const named = sequence.name === "unknown" ? "sequence unknown" : `taken for ${sequence.name}`;
  const why = sequence.reasons.length ? ` (${sequence.reasons.join("; ")})` : "";
  const runs = line.runs.slice(0, MOST_RUNS).map((run) => `${run.label}, ${between(run)}`);
  const called = Object.entries(line.labels).map(([label, count]) => `${label} ${count}`).join(", ");
  const meansNothing = line.reasons.some((reason) => reason !== "ambiguous");
  const remark = meansNothing ? "; it means nothing here" : "";
  const rows = [
    ["Score", line.score === null ? "none" : `${line.score.toFixed(3)}${scored ? `, ${between(scored)}` : ""}${remark}`],
    ["Rule", line.rule || "none"],
    ["Taken for", [line.plane ?? "plane unknown", `${named}${why}`, CONTRAST[sequence.contrast]].join(", ")],
    ["Slices", countWords(slices)],
    ["Accepted as", called || "none"],
    runs.length ? ["In a row", runs.join("; ")] : null,
  ];
  const list = rows.filter(Boolean).map(([name, text]) => el("div", {}, el("dt", { text: name }), el("dd", { text: shownName(text) })));
  return el("div", {}, el("dl", { class: "facts" }, ...list), line.finding === "abstain" ? notes(line.warnings) : null);
}

function countWords({ total, accepted, abstained, end_slices: ends, failed }) {
  const parts = [`${accepted} accepted`, `${abstained} abstained`];
  if (ends) parts.push(`${counted(ends, "end slice")} not asked`);
  if (failed) parts.push(`${failed} failed`);
  return `${total}: ${parts.join(", ")}`;
}

function between({ first, last, first_mm: from, last_mm: to }) {
  const slices = first === last ? `slice ${first}` : `slices ${first} to ${last}`;
  return from === null ? slices : `${slices} (${from.toFixed(1)} to ${to.toFixed(1)} mm)`;
}

// Where the score is from, for that is what the finding speaks of; else the slice that says most.
function firstShown({ line, slices }, negative) {
  const inRun = (one) => !line?.scored || (one.scan.number >= line.scored.first && one.scan.number <= line.scored.last);
  let best = 0;
  slices.forEach((one, index) => {
    const score = inRun(one) ? (sliceScore(one, negative) ?? -1) : -2;
    const now = inRun(slices[best]) ? (sliceScore(slices[best], negative) ?? -1) : -2;
    if (score > now) best = index;
  });
  return best;
}

/** Say a series in a line. */
export function seriesWords(entry) {
  if (!entry.line) return counted(entry.slices.length, "slice");
  const { line } = entry;
  const score = line.score === null || line.finding === "abstain" ? "" : `, score ${line.score.toFixed(3)}`;
  return `${findingWords(line.finding)}${line.label ? `: ${line.label}` : ""}${score}`;
}
