// The answer for an image or a slice: the decision first, then what cannot be excluded, the label, all classes.

import { el, shownName } from "./dom.js";
import { scanView } from "./scan_view.js";
import { barsMeaning, percent, reasonWords, setMeaning } from "./words.js";

const MOST_BARS = 10;

/** Return a line's answer: the decision, the scan, and what else is said. */
export function answerView(line, facts, name) {
  const isAnswered = line.status === "ok";
  const warnings = notes([...(line.warnings ?? []), ...(line.scan?.warnings ?? [])]);
  const said = el("div", { class: "said" }, ...(isAnswered ? likely(line, facts) : []), warnings);
  const scan = line.view ? scanView(line, facts, name) : null;
  return el("div", { class: scan ? "answer" : "answer alone" }, isAnswered ? decision(line) : unanswered(line), scan, said);
}

function decision(line) {
  const isAccepted = line.decision === "accept";
  const title = isAccepted ? (line.reasons.length ? "Accepted all the same" : "Accepted") : "Abstains";
  const lead = isAccepted ? "No check speaks against it. A single answer may still be wrong." : "This is not an answer. Do not use it as one.";
  return verdict(isAccepted ? "accept" : "abstain", title, lead, line.reasons.map((reason) => reasonWords(reason)));
}

function likely(line, facts) {
  const isAccepted = line.decision === "accept";
  return [
    predictionSet(line, facts),
    el(
      "section",
      { class: isAccepted ? "nearest" : "nearest not-accepted" },
      el("h4", { text: isAccepted ? "Answer" : "Nearest class, not accepted" }),
      el("p", { class: "label" }, el("b", { text: shownName(line.label) }), el("span", { text: percent(line.score) })),
      bars(line),
      el("p", { class: "small", text: barsMeaning(line, facts) }),
    ),
  ];
}

/** Return the card that says what is to be done with an answer. */
export function verdict(kind, title, lead, reasons) {
  const mark = { accept: "✓", finding: "i", careful: "!", abstain: "!", skipped: "–", error: "×" }[kind];
  const list = reasons.map(([name, meaning]) => el("li", {}, name ? el("b", { text: `${name}. ` }) : null, meaning));
  return el(
    "section",
    { class: `verdict ${kind}` },
    el("span", { class: "mark", text: mark, "aria-hidden": "true" }),
    el("div", {}, el("h3", { text: title }), lead ? el("p", { text: lead }) : null, list.length ? el("ul", {}, ...list) : null),
  );
}

function predictionSet(line, facts) {
  const names = line.prediction_set.map((label) => el("li", { text: shownName(label) }));
  const none = facts.trust ? "no class: none is likely enough to be kept" : "nothing is known";
  const meansNothing = line.reasons.includes("out_of_scope");
  return el(
    "section",
    { class: meansNothing ? "set not-accepted" : "set" },
    el("h4", { text: "Prediction set: classes that cannot be excluded" }),
    names.length ? el("ul", { class: "labels" }, ...names) : el("p", { text: none }),
    el("p", { class: "small", text: setMeaning(line, facts) }),
  );
}

function bars(line) {
  const all = Object.entries(line.probabilities);
  if (all.length <= MOST_BARS) return barList(all);
  all.sort(([, a], [, b]) => b - a);
  const rest = all.slice(MOST_BARS);
  const more = el("details", {}, el("summary", { text: `${rest.length} less likely classes` }), barList(rest));
  return el("div", {}, barList(all.slice(0, MOST_BARS)), more);
}

function barList(entries) {
  const rows = entries.map(([label, probability]) => {
    const fill = el("i");
    fill.style.width = `${100 * probability}%`;
    return el(
      "li",
      {},
      el("span", { class: "name", text: shownName(label) }),
      el("span", { class: "bar", "aria-hidden": "true" }, fill),
      el("span", { class: "value", text: percent(probability) }),
    );
  });
  return el("ul", { class: "bars", "aria-label": "Probability of each class" }, ...rows);
}

function unanswered(line) {
  if (line.status === "skipped") {
    const lead = "Too little head beside the largest slice of the series. The model calls such slices tumours with conviction, so it is not asked.";
    return verdict("skipped", "End slice, not asked", lead, []);
  }
  return errorCard(line.error);
}

/** Return the card of an error. */
export function errorCard({ message, hint, code }) {
  const card = verdict("error", "No answer", shownName(message), []);
  if (hint) card.lastChild.append(el("p", { class: "hint", text: shownName(hint) }));
  if (code) card.lastChild.append(el("p", { class: "small", text: `Error ${code}` }));
  return card;
}

/** Return notes as a list; null if there are none. */
export function notes(texts) {
  if (!texts.length) return null;
  const items = [...new Set(texts)].map((text) => el("li", { text: shownName(text) }));
  return el("section", { class: "notes" }, el("h4", { text: "To be read with it" }), el("ul", {}, ...items));
}
