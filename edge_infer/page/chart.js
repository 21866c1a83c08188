// The slices of a series as bars, from the first to the last, with a slider below to walk through them.

import { el, shownName, svg } from "./dom.js";
import { percent, sliceWords } from "./words.js";

const HIGH = 100;
const LEAST = 2.5;

/** Return the height of a slice: what speaks for any class but the negative one; without one, the nearest class. */
export function sliceScore(line, negative) {
  if (line.status !== "ok") return null;
  return negative in line.probabilities ? 1 - line.probabilities[negative] : line.score;
}

/** Return what the bars are, for a heading. */
export function scoreName(negative) {
  return negative ? `Probability of any class but ${negative}, by slice` : "Probability of the nearest class, by slice";
}

/**
 * Return the chart.
 * @param {object[]} slices lines
 * @param {{first: number, last: number}|null} scored the slices that the score is of
 * @param {string|null} negative
 * @param {number} at index of the slice that is shown
 * @param {(index: number) => void} onChoice
 */
export function chart(slices, scored, negative, at, onChoice) {
  const count = slices.length;
  const cursor = svg("rect", { class: "cursor", y: 0, width: 1, height: HIGH });
  const drawing = svg(
    "svg",
    { viewBox: `0 0 ${count} ${HIGH}`, preserveAspectRatio: "none", role: "img", "aria-label": spoken(slices) },
    ...[25, 50, 75].map((y) => svg("line", { class: "grid", x1: 0, x2: count, y1: y, y2: y })),
    ...slices.map((line, index) => bar(line, index, negative)),
    cursor,
  );
  const slider = el("input", { type: "range", min: 1, max: count, step: 1, "aria-label": "Slice" });
  const move = (index) => {
    cursor.setAttribute("x", index);
    slider.value = index + 1;
    slider.setAttribute("aria-valuetext", `slice ${index + 1} of ${count}: ${sliceWords(slices[index])}`);
  };
  const choose = (index) => {
    move(index);
    onChoice(index);
  };
  slider.addEventListener("input", () => choose(Number(slider.value) - 1));
  drawing.addEventListener("pointerdown", (event) => {
    const { left, width } = drawing.getBoundingClientRect();
    choose(Math.min(count - 1, Math.max(0, Math.floor(((event.clientX - left) / width) * count))));
    slider.focus();
  });
  move(at);
  const box = el("div", { class: "chart" }, el("div", { class: "plot" }, axis(), drawing), run(scored, count), slider, key(scored));
  return { box, move };
}

function bar(line, index, negative) {
  const score = sliceScore(line, negative);
  const inside = { x: index + 0.14, width: 0.72 };
  if (line.status === "error") {
    return svg("path", { class: "failed", d: `M${index + 0.25} 84L${index + 0.75} 98M${index + 0.75} 84L${index + 0.25} 98` });
  }
  if (score === null) return svg("rect", { class: "end", x: index, width: 1, y: 0, height: HIGH });
  const height = Math.max(LEAST, HIGH * score);
  const state = line.decision === "accept" ? "accepted" : "abstained";
  return svg("rect", { class: state, ...inside, y: HIGH - height, height });
}

function axis() {
  return el("div", { class: "axis", "aria-hidden": "true" }, ...["100 %", "50", "0"].map((text) => el("span", { text })));
}

// The bracket below the slices that the score is of.
function run(scored, count) {
  const line = el("i");
  if (scored) {
    line.style.marginLeft = `${(100 * (scored.first - 1)) / count}%`;
    line.style.width = `${(100 * (scored.last - scored.first + 1)) / count}%`;
  }
  return el("div", { class: "run", "aria-hidden": "true" }, line);
}

function key(scored) {
  const entries = [["accepted", "accepted"], ["abstained", "abstains"], ["end", "end slice, not asked"], ["failed", "failed"]];
  if (scored) entries.push(["scored", "slices of the score"]);
  const items = entries.map(([name, text]) => el("li", {}, el("i", { class: name }), text));
  return el("ul", { class: "key", "aria-hidden": "true" }, ...items);
}

function spoken(slices) {
  const accepted = slices.filter((line) => line.decision === "accept").length;
  return `Chart of ${slices.length} slices, ${accepted} of them accepted. The same is in the table below.`;
}

/** Return the same as a table, each slice with a button that shows it. */
export function sliceTable(slices, negative, onChoice) {
  const rows = slices.map((line, index) => {
    const { position_mm: place, number } = line.scan;
    const score = sliceScore(line, negative);
    const show = el("button", { type: "button", class: "link", text: String(number), "aria-label": `Show slice ${number}`, onclick: () => onChoice(index) });
    return el(
      "tr",
      {},
      el("th", { scope: "row" }, show),
      el("td", { text: place === null ? "" : place.toFixed(1) }),
      el("td", { text: score === null ? "" : percent(score) }),
      el("td", { text: shownName(sliceWords(line)) }),
    );
  });
  const heads = ["Slice", "mm", "Score", "Called"].map((text) => el("th", { scope: "col", text }));
  const table = el("table", {}, el("thead", {}, el("tr", {}, ...heads)), el("tbody", {}, ...rows));
  return el("details", {}, el("summary", { text: "Slices as a table" }), table);
}
