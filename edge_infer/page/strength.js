// The evidence for a class relative to the others: edge_infer/heatmap.py's relative_strength, number for number.
// NumPy and Pillow work in float32 there, so each step is rounded as they round it.

const { fround, abs, max, min, floor } = Math;

/**
 * Return what each place says, before enlarging.
 * @param {{shape: number[], data: Float32Array}} evidence of classes, h, w
 * @param {number} label index of the class
 * @param {number} negative index of the class that says that nothing is there, or -1
 * @returns {Float32Array} h times w, -1..1
 */
export function normedStrength(evidence, label, negative) {
  const [classes, height, width] = evidence.shape;
  const places = height * width;
  const at = (one, place) => evidence.data[one * places + place];
  const relative = new Float32Array(places);
  let largest = 0;
  for (let place = 0; place < places; place++) {
    let other;
    if (label === negative) {
      // It has no place of its own: only what speaks against it is kept.
      other = -Infinity;
      for (let one = 0; one < classes; one++) if (one !== negative) other = max(other, at(one, place));
    } else {
      let sum = 0;
      for (let one = 0; one < classes; one++) sum = fround(sum + at(one, place));
      other = fround(sum / classes);
    }
    relative[place] = at(label, place) - other;
    largest = max(largest, abs(relative[place]));
  }
  return relative.map((value) => {
    const normed = largest > 0 ? value / largest : 0;
    return label === negative ? min(normed, 0) : normed;
  });
}

/** Return float32 values enlarged or reduced as Pillow's BILINEAR does it: first rows, then columns. */
export function enlarged(values, [fromWidth, fromHeight], [width, height]) {
  const columns = weights(fromWidth, width);
  const rows = weights(fromHeight, height);
  const wide = new Float32Array(width * fromHeight);
  for (let y = 0; y < fromHeight; y++) {
    for (let x = 0; x < width; x++) {
      const { first, shares } = columns[x];
      let sum = 0;
      for (let i = 0; i < shares.length; i++) sum += values[y * fromWidth + first + i] * shares[i];
      wide[y * width + x] = sum;
    }
  }
  const result = new Float32Array(width * height);
  for (let y = 0; y < height; y++) {
    const { first, shares } = rows[y];
    for (let x = 0; x < width; x++) {
      let sum = 0;
      for (let i = 0; i < shares.length; i++) sum += wide[(first + i) * width + x] * shares[i];
      result[y * width + x] = sum;
    }
  }
  return result;
}

/** Return what heatmap.py's relative_strength returns, row by row. */
export function relativeStrength(evidence, label, negative, size) {
  const [, height, width] = evidence.shape;
  return enlarged(normedStrength(evidence, label, negative), [width, height], size);
}

// Pillow, src/libImaging/Resample.c, precompute_coeffs with the triangle of BILINEAR.
function weights(from, to) {
  const scale = from / to;
  const reach = max(scale, 1);
  return Array.from({ length: to }, (_, index) => {
    const centre = (index + 0.5) * scale;
    const first = max(floor(centre - reach + 0.5), 0);
    const end = min(floor(centre + reach + 0.5), from);
    const shares = [];
    for (let x = first; x < end; x++) shares.push(max(0, 1 - abs((x - centre + 0.5) / reach)));
    const total = shares.reduce((sum, share) => sum + share, 0);
    return { first, shares: shares.map((share) => share / total) };
  });
}
