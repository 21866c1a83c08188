// Pillow's resize with NEAREST: which row or column of the image each one of the result is.

/**
 * @param {number} side Pixels of the image. @param {number} wanted Pixels of the result.
 * @returns {Uint32Array} Geometry.c, ImagingScaleAffine: the place grows by addition, so its rounding is repeated here.
 */
export function places(side, wanted) {
  const found = new Uint32Array(wanted);
  const step = side / wanted;
  for (let i = 0, place = step * 0.5; i < wanted; i++, place += step) found[i] = Math.floor(place);
  return found;
}

/** @param {{width: number, height: number, data: Uint8Array}} plane @returns {object} The same of another size. */
export function thinned({ width, height, data }, newWidth, newHeight) {
  if (newWidth === width && newHeight === height) return { width, height, data };
  const [columns, rows] = [places(width, newWidth), places(height, newHeight)];
  const result = new Uint8Array(newWidth * newHeight);
  rows.forEach((row, y) => columns.forEach((column, x) => (result[y * newWidth + x] = data[row * width + column])));
  return { width: newWidth, height: newHeight, data: result };
}
