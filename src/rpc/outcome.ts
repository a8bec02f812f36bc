/**
 * What an RPC answers, before any encoding: `wire/` turns it into the Response struct (wire.md §2.2).
 */

import type { Permission } from '../core/access/permission.js';

export type ResponseCode =
  | 'INVALID_REQUEST'
  | 'OK'
  | 'ERROR'
  | 'WARNING'
  | 'AUTH_FAILED'
  | 'JOB_UPDATING_ERROR'
  | 'ERROR_TRANSIENT';

export interface Outcome {
  readonly code: ResponseCode;
  /** One entry for each message; empty on plain success (wire.md §2.2 lists the four exceptions). */
  readonly details: readonly string[];
  /** One member of the IDL's Result union, in IDL field names with enums as names. */
  readonly result?: Readonly<Record<string, unknown>>;
}

/** Who calls; `UNSECURE` when no authentication is configured (rpc.md §1), or nobody has logged in. */
export interface Caller {
  readonly user: string;
  /** What a login permits; `anonymous` without one. Unset while authentication is off. */
  readonly access?: 'anonymous' | readonly Permission[];
}

/** Arguments by IDL name as plain records; absent ones undefined. */
export type RpcArguments = Readonly<Record<string, unknown>>;
export type RpcMethod = (args: RpcArguments, caller: Caller) => Promise<Outcome>;

export function ok(result?: Readonly<Record<string, unknown>>, ...details: string[]): Outcome {
  return result === undefined ? { code: 'OK', details } : { code: 'OK', details, result };
}

/** An outcome that is answered many times as it is: its encoding is kept (`wire/responses.ts`). */
export function fixed(outcome: Outcome): Outcome {
  return Object.freeze(outcome);
}

export function refuse(code: Exclude<ResponseCode, 'OK'>, message: string): Outcome {
  return { code, details: [message] };
}
