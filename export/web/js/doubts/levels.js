// Too few grey levels are left: edge_infer/doubt_rules/levels.py.

const FEW_LEVELS = 32;
const COMMON = 0.999;

export function tooFewGreyLevels({ levels }) {
  const pixels = levels.reduce((sum, count) => sum + count, 0);
  const mostCommonFirst = [...levels].sort((one, other) => other - one);
  let [found, covered] = [0, 0];
  while (found < levels.length && covered < COMMON * pixels) covered += mostCommonFirst[found++];
  if (found >= Math.min(FEW_LEVELS, Math.floor(pixels / 8))) return null;
  const note =
    `few grey levels are left: ${found} of 256 hold nearly all pixels; ` +
    "a single very bright pixel, or an export with few bits, causes this";
  return { reason: "too_few_grey_levels", note };
}
