// The scan on a canvas, with the evidence for a class of one's choice over it.

import { el } from "./dom.js";
import { colours, drawable, OPACITY, paint, sizeOf, strongest } from "./overlay.js";
import { coloursMeaning } from "./words.js";

const LONGEST = 512;
// What was chosen stays for the next image; "" is the class that is nearest in each.
const chosen = { opacity: OPACITY, label: "" };

/**
 * Return the part of an answer that shows the scan.
 * @param {object} line with a view
 * @param {object} facts of the model
 * @param {string} name of the image, as shown
 */
export function scanView(line, facts, name) {
  const { view } = line;
  const [width, height] = sizeOf(view, LONGEST * Math.min(2, Math.ceil(devicePixelRatio)));
  const canvas = el("canvas", { class: "scan", width, height, role: "img", "aria-label": `Scan ${name}` });
  const box = el("figure", { class: "scan-view" }, el("div", { class: "screen" }, canvas));
  const scan = drawable(view);
  if (!view.evidence || !line.label) {
    scan.then((image) => paint(canvas, image, null, 0));
    return box;
  }
  const labels = Object.keys(line.probabilities);
  const negative = labels.indexOf(facts.negative);
  const meaning = el("p", { class: "small" });
  const ramp = el("div", { class: "ramp", "aria-hidden": "true" }, el("span", { text: "against" }), el("i"), el("span", { text: "for" }));
  let overlay = null;
  const redraw = () => scan.then((image) => paint(canvas, image, overlay, chosen.opacity));
  const choose = () => {
    const label = labels.includes(chosen.label) ? chosen.label : line.label;
    const index = labels.indexOf(label);
    const { isMarked, where } = strongest(view.evidence, index, negative);
    overlay = colours(view.evidence, index, negative, [width, height]);
    meaning.textContent = coloursMeaning(label, index === negative, isMarked);
    ramp.classList.toggle("only-against", index === negative);
    const sign = index === negative ? "against" : "for";
    const told = isMarked ? `strongest evidence ${sign} ${label}: ${where}` : "no place is marked";
    canvas.setAttribute("aria-label", `Scan ${name}; ${told}`);
    redraw();
  };
  box.append(el("figcaption", {}, controls(labels, line, choose, redraw), ramp, meaning));
  choose();
  return box;
}

function controls(labels, line, choose, redraw) {
  const share = () => `${Math.round(100 * chosen.opacity)} %`;
  const output = el("output", { text: share(), "aria-hidden": "true" });
  const slider = el("input", { type: "range", id: "opacity", min: 0, max: 1, step: 0.05, "aria-valuetext": share() });
  slider.value = chosen.opacity;
  slider.addEventListener("input", () => {
    chosen.opacity = Number(slider.value);
    output.textContent = share();
    slider.setAttribute("aria-valuetext", share());
    redraw();
  });
  const options = [["", `nearest class (${line.label})`], ...labels.map((label) => [label, label])];
  const select = el("select", { id: "evidence-class" }, ...options.map(([value, text]) => el("option", { value, text })));
  select.value = labels.includes(chosen.label) ? chosen.label : "";
  select.addEventListener("change", () => {
    chosen.label = select.value;
    choose();
  });
  return el(
    "div",
    { class: "controls" },
    el("label", { for: "opacity", text: "Evidence" }),
    slider,
    output,
    el("label", { for: "evidence-class", text: "for" }),
    select,
  );
}

/** Return what the canvas shows now: the class, its index, and the opacity. */
export function shownEvidence(line) {
  const labels = Object.keys(line.probabilities);
  const label = labels.includes(chosen.label) ? chosen.label : line.label;
  return { label, index: labels.indexOf(label), opacity: chosen.opacity };
}
