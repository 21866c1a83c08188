// Single-precision numbers as NumPy computes with them, so that a comparison at a threshold comes out alike.

const { fround } = Math;

/** NumPy's pairwise sum of at most 128 float32. @param {ArrayLike<number>} values */
export function sum32(values) {
  const count = values.length;
  if (count > 128) throw new RangeError("more than 128 values");
  if (count < 8) {
    let sum = fround(0);
    for (let i = 0; i < count; i++) sum = fround(sum + values[i]);
    return sum;
  }
  const parts = Array.from({ length: 8 }, (_, i) => fround(values[i]));
  let at = 8;
  for (; at < count - (count % 8); at += 8) for (let i = 0; i < 8; i++) parts[i] = fround(parts[i] + values[at + i]);
  const [a, b, c, d, e, f, g, h] = parts;
  let sum = fround(fround(fround(a + b) + fround(c + d)) + fround(fround(e + f) + fround(g + h)));
  for (; at < count; at++) sum = fround(sum + values[at]);
  return sum;
}
