// What goes wrong, with the codes and exit statuses of brain-infer (docs/cli.md).

const EXIT_STATUS = {
  unreadable: 20,
  corrupt: 22,
  unsupported: 23,
  over_limit: 24,
  bundle_incompatible: 32,
  inference_failed: 80,
  non_finite: 83,
};

/** An error a user can act on. `code` is stable, for machines; `exitStatus` that of the whole program. */
export class Failure extends Error {
  constructor(code, message) {
    super(message);
    this.code = code;
    this.exitStatus = EXIT_STATUS[code];
  }
}

/** The result of `act`; whatever it throws that is no Failure becomes one. `message` may be a function of the error. */
export async function orFailure(code, message, act) {
  try {
    return await act();
  } catch (error) {
    if (error instanceof Failure) throw error;
    throw new Failure(code, typeof message === "function" ? message(error) : message);
  }
}
