// Whether 8-bit products come out wrong on this CPU, found by multiplying once; edge_infer/saturation.py says why.

// MatMulInteger of a, uint8 (4, 8), and b, int8 (8, 16): the graph edge_infer/saturation.py asks, byte for byte.
const PROBE = Buffer.from(
  "080a3a5c0a180a01610a0162120179220d4d61744d756c496e74656765721201675a130a0161120e0a0c080212080a020804" +
    "0a0208085a130a0162120e0a0c080312080a0208080a02081062130a0179120e0a0c080612080a0208040a02081042040a00" +
    "100a",
  "hex",
);

/**
 * @param {object} ort The module onnxruntime-node.
 * @returns {Promise<object>} Session options to add to one's own: none where nothing is wrong, for they cost time.
 */
export async function againstSaturation(ort) {
  const session = await ort.InferenceSession.create(PROBE, { executionProviders: ["cpu"], logSeverityLevel: 3 });
  const a = new ort.Tensor("uint8", new Uint8Array(4 * 8).fill(255), [4, 8]);
  const b = new ort.Tensor("int8", new Int8Array(8 * 16).fill(127), [8, 16]);
  const { y } = await session.run({ a, b });
  const saturates = y.data.some((sum) => sum !== 8 * 255 * 127);
  return saturates ? { extra: { session: { x64quantprecision: "1" } } } : {};
}
