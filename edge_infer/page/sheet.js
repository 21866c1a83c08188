// An answered image as one PNG: the scan with the evidence, and below it the decision, the class and the notice.

import { shownName } from "./dom.js";
import { AGAINST, colours, drawable, FOR, paint, sizeOf, strongest } from "./overlay.js";
import { shownEvidence } from "./scan_view.js";
import { coloursMeaning, percent, reasonWords } from "./words.js";

const LEAST_SIDE = 512;
const RAMP = 8;
const LINE = 26;
const MARGIN = 16;
const FONT = 'px system-ui, "Segoe UI", "Liberation Sans", Arial, sans-serif';
const BACKGROUND = "#121214";
const BRIGHT = "#f0f0f0";
const DIM = "#b0b0b6";

/** Return a PNG of a line with a view, or null of one without. No name of a file is in it. */
export async function sheetOf(line, facts) {
  if (!line.view) return null;
  const scale = Math.max(1, LEAST_SIDE / line.view.width);
  const [width, height] = sizeOf(line.view, scale * Math.max(line.view.width, line.view.height));
  const texts = line.status === "ok" ? saidOf(line, facts) : [["Not asked: no answer for this slice", BRIGHT, 18]];
  texts.push([line.research_use_only, DIM, 15]);
  const canvas = document.createElement("canvas");
  const context = canvas.getContext("2d");
  const lines = texts.flatMap(([text, colour, size]) => wrapped(context, text, size, width - 2 * MARGIN).map((one) => [one, colour, size]));
  canvas.width = width;
  const top = height + MARGIN + (line.status === "ok" ? 2 * RAMP : 0);
  canvas.height = top + lines.length * LINE + MARGIN;
  context.fillStyle = BACKGROUND;
  context.fillRect(0, 0, canvas.width, canvas.height);
  context.drawImage(await scanOf(line, facts, width, height), 0, 0);
  if (line.status === "ok") drawRamp(context, height + MARGIN, width, isNegativeShown(line, facts));
  lines.forEach(([text, colour, size], index) => {
    context.fillStyle = colour;
    context.font = `${size}${FONT}`;
    context.fillText(text, MARGIN, top + (index + 0.7) * LINE);
  });
  return new Promise((done) => canvas.toBlob(done, "image/png"));
}

async function scanOf(line, facts, width, height) {
  const canvas = document.createElement("canvas");
  Object.assign(canvas, { width, height });
  const scan = await drawable(line.view);
  if (line.status !== "ok") {
    paint(canvas, scan, null, 0);
    return canvas;
  }
  const { index, opacity } = shownEvidence(line);
  const negative = Object.keys(line.probabilities).indexOf(facts.negative);
  paint(canvas, scan, colours(line.view.evidence, index, negative, [width, height]), opacity);
  return canvas;
}

// From against to for; the negative class has only what speaks against it.
function drawRamp(context, top, width, isNegative) {
  const ramp = context.createLinearGradient(MARGIN, 0, width - MARGIN, 0);
  ramp.addColorStop(0, `rgb(${AGAINST})`);
  ramp.addColorStop(isNegative ? 1 : 0.5, "rgb(127, 127, 133)");
  if (!isNegative) ramp.addColorStop(1, `rgb(${FOR})`);
  context.fillStyle = ramp;
  context.fillRect(MARGIN, top, width - 2 * MARGIN, RAMP);
}

function isNegativeShown(line, facts) {
  return shownEvidence(line).label === facts.negative;
}

function saidOf(line, facts) {
  const isAccepted = line.decision === "accept";
  const why = line.reasons.map((reason) => reasonWords(reason)[0].toLowerCase()).join(", ");
  const decision = isAccepted ? (why ? `Accepted although: ${why}` : "Accepted") : `Abstains: ${why}`;
  const { label, index, opacity } = shownEvidence(line);
  const isNegative = isNegativeShown(line, facts);
  const negative = Object.keys(line.probabilities).indexOf(facts.negative);
  const { isMarked } = strongest(line.view.evidence, index, negative);
  const answer = `${isAccepted ? "" : "Not accepted, nearest: "}${shownName(line.label)} ${percent(line.score)}`;
  const { name, precision, manifest_sha256: digest } = line.model;
  return [
    [decision, isAccepted ? DIM : BRIGHT, 18],
    [answer, isAccepted ? BRIGHT : DIM, 20],
    [`${coloursMeaning(shownName(label), isNegative, isMarked)} Opacity ${Math.round(100 * opacity)} %.`, DIM, 14],
    [`Model ${name}, ${precision}, ${digest.slice(0, 12)}`, DIM, 14],
  ];
}

function wrapped(context, text, size, width) {
  context.font = `${size}${FONT}`;
  const lines = [""];
  for (const word of text.split(/\s+/)) {
    const longer = `${lines.at(-1)} ${word}`.trim();
    if (lines.at(-1) && context.measureText(longer).width > width) lines.push(word);
    else lines[lines.length - 1] = longer;
  }
  return lines;
}

