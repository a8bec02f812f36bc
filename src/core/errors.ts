/** Failures that mean something to a client; everything else is an internal error (wire.md S5). */

/**
 * A transaction is known to have changed nothing, and the caller may send the same bytes again
 * (rpc.md §1 `TRANS`). Becomes ERROR_TRANSIENT.
 */
export class TransientError extends Error {
  override readonly name = 'TransientError';
}

/**
 * COMMIT was sent and its outcome cannot be found out: no reply may be given, the connection is closed
 * (wire.md S14).
 */
export class UnknownOutcomeError extends Error {
  override readonly name = 'UnknownOutcomeError';
}

/** A request that breaks a rule; `code` is the response code the rule's table demands. */
export class RefusedError extends Error {
  override readonly name = 'RefusedError';
  constructor(
    readonly code: 'INVALID_REQUEST' | 'ERROR' | 'JOB_UPDATING_ERROR',
    message: string,
  ) {
    super(message);
  }
}
