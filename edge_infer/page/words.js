// What answers mean, in words. Names of classes come with the answers; only the reasons have names of their own.

const IMAGE_REASONS = {
  out_of_scope: ["Unlike the training images", "It lies further from the images that the model learnt from than the limit allows, so what the model says about it means nothing."],
  ambiguous: ["Ambiguous", "More than one class remains possible, or none is likely enough."],
  low_quality: ["Low quality", "Noise, blur or strong compression: what the model looks for is damaged or lost."],
  too_few_grey_levels: ["Too few grey levels", "Shades that differ in the scan may be one grey here."],
  several_slices: ["Several slices in one image", "One answer for several slices is an answer for none of them."],
  colour_overlay: ["Colours over the scan", "Contours, masks or a screenshot: in grey they look like tissue. Photographs are no scans."],
  burnt_in_text: ["Text in the image", "Strokes of text are bright structures to the model. Export the scan without annotations."],
  inverted: ["Black and white exchanged", "The background is light. The model never saw such scans."],
};

const SERIES_REASONS = {
  no_series_rule: ["No rule for series", "This model has none: slices are answered and counted, and no more."],
  too_few_slices: ["Too few slices", "Fewer neighbouring slices with brain than the rule needs."],
  several_patients: ["Several patients", "Files of this series name more than one patient."],
  other_sequence: ["Another sequence", "The header names a sequence that the model did not learn."],
  unknown_positions: ["Positions unknown", "The header does not say where the slices lie, or two lie at one place."],
  out_of_scope: ["Most slices are not accepted", "More than half of the answered slices abstain, so the score means nothing."],
  failed_slices: ["Slices that could not be read", "What they show may have been missed."],
  missing_slices: ["Slices are missing", "A slice beside a gap looks like a tumour, and the neighbour that could bear it out is not there."],
  ambiguous: ["Ambiguous", "The score lies between the two thresholds of the rule."],
};

const FINDINGS = {
  tumour_evidence: "Tumour evidence",
  no_tumour_evidence: "No tumour evidence",
  abstain: "Abstains",
};

/** Return [title, meaning] of a reason; one that is newer than this page keeps its name. */
export function reasonWords(reason, isSeries = false) {
  return (isSeries ? SERIES_REASONS : IMAGE_REASONS)[reason] ?? [reason.replaceAll("_", " "), ""];
}

export function findingWords(finding) {
  return FINDINGS[finding] ?? finding.replaceAll("_", " ");
}

/** Return a probability for people. What is not certain never reads as if it were. */
export function percent(value) {
  if (value > 0 && value < 0.0005) return "<\u00a00.1\u00a0%";
  if (value < 1 && value > 0.9995) return ">\u00a099.9\u00a0%";
  return `${(100 * value).toFixed(1)}\u00a0%`;
}

// By where the answers come from on which the thresholds were fitted (fitted_on of the bundle's trust).
const CALIBRATED = {
  "out-of-fold": "Calibrated on patients that the model had not seen: of images like those, given 90 %, about 90 in 100 are of that class.",
  validation: "Calibrated on the images that also chose the model, so it may be less often right than it says.",
  site: "Calibrated on images of this site: of images like those, given 90 %, about 90 in 100 are of that class.",
  other: "Calibrated on few or other images: it may be less often right than it says.",
};

/** Return what a prediction set means. */
export function setMeaning(line, facts) {
  if (!facts.trust) return "This model has no calibration, so no class is excluded and none is kept.";
  if (line.reasons.includes("out_of_scope")) {
    return "Means nothing here: the calibration knows no image like this one.";
  }
  const share = Math.round(100 * (1 - facts.trust.alpha));
  const { fitted_on: way, n, groups } = facts.trust;
  const fewest = groups ? Math.min(...Object.values(groups)) : Infinity;
  // What a threshold of so few groups can promise at most (conformal prediction).
  const promised = Math.min(share, Math.floor((100 * fewest) / (fewest + 1)));
  const said = `For images like those of the calibration, the true class is among these in at least ${promised} of 100.`;
  if (way !== "validation") return said;
  return `${said} That is too good: the same ${n ?? ""} images also chose the model.`.replace("  ", " ");
}

/** Return what the bars mean, in a sentence. */
export function barsMeaning(line, facts) {
  if (line.decision !== "accept") return "Not accepted: they say which class is nearest, and no more.";
  if (!facts.trust) return "What the model gives each class. It is not calibrated: 90 % need not be right in 90 of 100.";
  return `${CALIBRATED[facts.trust.fitted_on] ?? CALIBRATED.other} It is not the probability that a patient has a disease.`;
}

/** Return what the colours over the scan mean. */
export function coloursMeaning(label, isNegative, isMarked) {
  if (!isNegative) return `Red speaks for ${label}, blue against it. Relative within this image: colours of two images cannot be compared.`;
  if (isMarked) return `${label} has no place of its own. Blue: looks like another class all the same.`;
  return "No place is marked: to the model, nothing here looks like another class. That does not prove that nothing is there.";
}

/** Return how the slice was called, short, for a table or a slider. */
export function sliceWords(line) {
  if (line.status === "skipped") return "end slice, not asked";
  if (line.status === "error") return `failed: ${line.error.message}`;
  const nearest = `${line.label} ${percent(line.score)}`;
  return line.decision === "accept" ? nearest : `abstains, nearest ${nearest}`;
}
