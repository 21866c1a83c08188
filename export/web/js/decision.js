// Accept an answer or abstain, and why: edge_infer/decision.py, with scope "enforce".

/** Reasons in the order of edge_infer/reasons.py. */
const REASONS = [
  "out_of_scope", "ambiguous", "low_quality", "too_few_grey_levels", "several_slices", "colour_overlay",
  "burnt_in_text", "blank_rim", "inverted", "odd_shape", "too_small",
];
/** Doubts for which an answer is not accepted; the others are a note beside it. */
const ABSTAINING = new Set([
  "low_quality", "too_few_grey_levels", "several_slices", "colour_overlay", "burnt_in_text", "inverted",
]);

/** @param {ArrayLike<number>} logits @returns {number[]} Summing to 1. */
export function softmax(logits, temperature) {
  const scaled = Array.from(logits, (logit) => logit / temperature);
  const largest = Math.max(...scaled);
  const exponentials = scaled.map((value) => Math.exp(value - largest));
  const sum = exponentials.reduce((total, value) => total + value, 0);
  return exponentials.map((value) => value / sum);
}

/**
 * @param {number[]} probabilities Calibrated. @param {string[]} labels In the same order.
 * @param {number|null} scopeScore Null where the bundle has no scope check.
 * @param {{reason: string}[]} doubts @param {object|null} trust As in decision.json.
 * @returns {{decision: string, reasons: string[], prediction_set: string[]}}
 */
export function decide(probabilities, labels, scopeScore, doubts, trust) {
  const found = new Set(doubts.map(({ reason }) => reason).filter((reason) => ABSTAINING.has(reason)));
  let set = [];
  if (trust) {
    set = labels.filter((label, i) => 1 - probabilities[i] <= trust.set_thresholds[label]);
    if (set.length !== 1 || Math.max(...probabilities) < trust.least_score) found.add("ambiguous");
    const hasScope = scopeScore !== null && trust.scope_threshold !== null;
    if (hasScope && !(scopeScore <= trust.scope_threshold)) found.add("out_of_scope");
  }
  const reasons = REASONS.filter((reason) => found.has(reason));
  return { decision: reasons.length ? "abstain" : "accept", reasons, prediction_set: set };
}
