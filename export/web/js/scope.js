// How far an image lies from the training images, by its embedding: edge_infer/scope.py says what is computed.

import { viewOf } from "./bytes.js";
import { BrainError } from "./errors.js";

const SHORTEST = 1e-12;
const SIZES = { float16: 2, float32: 4 };

/** A vector times a matrix (rows, columns) in row order. */
function product(vector, { data, shape: [rows, columns] }) {
  const result = new Float64Array(columns);
  for (let r = 0; r < rows; r++) for (let c = 0; c < columns; c++) result[c] += vector[r] * data[r * columns + c];
  return result;
}

const squares = (vector) => vector.reduce((sum, value) => sum + value * value, 0);

export class ScopeModel {
  /** @param {object} description `trust.scope` of the bundle's manifest. @param {Uint8Array} data scope.bin. */
  constructor(description, data) {
    this._arrays = readArrays(description.arrays, data);
    this._scales = description.scales;
    this.threshold = description.threshold;
  }

  /** @param {Float32Array} embedding As the graph gave it. @returns {number} 0 or more. */
  score(embedding) {
    const { mean, basis, centres, whitening } = this._arrays;
    if (embedding.length !== basis.shape[0]) {
      throw new BrainError("inference_failed", `model gave ${embedding.length} numbers, expected ${basis.shape[0]}`);
    }
    const length = Math.max(Math.sqrt(squares(Float64Array.from(embedding))), SHORTEST);
    const offset = Float64Array.from(embedding, (value, i) => value / length - mean.data[i]);
    const within = product(offset, basis);
    const white = product(within, whitening);
    const [classes, axes] = centres.shape;
    let nearest = Infinity;
    for (let c = 0; c < classes; c++) {
      nearest = Math.min(nearest, squares(white.map((value, k) => value - centres.data[c * axes + k])));
    }
    // What lies outside of the directions: the offset without its part within them.
    const [dim, k] = basis.shape;
    let outside = 0;
    for (let d = 0; d < dim; d++) {
      let inside = 0;
      for (let i = 0; i < k; i++) inside += basis.data[d * k + i] * within[i];
      outside += (offset[d] - inside) ** 2;
    }
    return Math.sqrt(nearest / this._scales.mahalanobis + outside / this._scales.residual);
  }
}

function readArrays(entries, data) {
  const view = viewOf(data);
  const arrays = {};
  let at = 0;
  for (const { name, dtype, shape } of entries) {
    const count = shape.reduce((size, side) => size * side, 1);
    const values = new Float64Array(count);
    if (at + count * SIZES[dtype] > data.length) throw damaged("scope.bin is too short");
    for (let i = 0; i < count; i++, at += SIZES[dtype]) {
      values[i] = dtype === "float32" ? view.getFloat32(at, true) : half(view.getUint16(at, true));
    }
    if (!values.every(Number.isFinite)) throw damaged(`scope.bin: ${name} holds NaN or infinity`);
    arrays[name] = { data: values, shape };
  }
  if (at !== data.length) throw damaged("scope.bin is too long");
  return arrays;
}

/** IEEE 754 binary16. */
function half(bits) {
  const exponent = (bits >> 10) & 31;
  const fraction = bits & 1023;
  const sign = bits & 0x8000 ? -1 : 1;
  if (exponent === 31) return fraction ? NaN : sign * Infinity;
  return sign * (exponent ? (1 + fraction / 1024) * 2 ** (exponent - 15) : (fraction / 1024) * 2 ** -14);
}

function damaged(message) {
  return new BrainError("bundle_integrity", message, "write the folder again");
}
