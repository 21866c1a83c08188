// Errors a user can act on, with the codes and exit codes of edge_infer/errors.py.

const EXIT_CODES = {
  unreadable: 20,
  corrupt: 22,
  unsupported: 23,
  over_limit: 24,
  bundle_incomplete: 30,
  bundle_integrity: 31,
  bundle_incompatible: 32,
  inference_failed: 80,
  non_finite: 83,
  self_test_failed: 84,
};

export class BrainError extends Error {
  /**
   * @param {string} code A key of EXIT_CODES.
   * @param {string} message Names the thing, what was found and what was expected.
   * @param {string} hint What to do about it.
   */
  constructor(code, message, hint = "") {
    super(message);
    this.name = "BrainError";
    this.code = code;
    this.exitCode = EXIT_CODES[code];
    this.hint = hint;
  }
}

export const corrupt = (message, hint) => new BrainError("corrupt", message, hint);
export const unsupported = (message, hint) => new BrainError("unsupported", message, hint);
export const overLimit = (message, hint) => new BrainError("over_limit", message, hint);

/** What the field `error` of a line holds; anything else than a BrainError is a failure of this program or the browser. */
export function errorFields(error) {
  if (error instanceof BrainError) {
    return { code: error.code, exit_code: error.exitCode, message: error.message, hint: error.hint };
  }
  const isMemory = error instanceof RangeError;
  const code = isMemory ? "over_limit" : "inference_failed";
  const message = isMemory ? "there is not enough memory" : `the browser failed (${error?.name ?? "unknown error"})`;
  return { code, exit_code: EXIT_CODES[code], message, hint: "" };
}
