/** What the RPC families are built on, and the checks of arguments they share. */
import { RefusedError } from '../core/errors.js';
import type { JobKey, JobUpdateKey } from '../core/model/keys.js';
import { isValidJobKey } from '../core/model/keys.js';
import type { ValidationLimits } from '../core/validate/limits.js';
import type { Validated } from '../core/validate/refusals.js';
import { IDENTIFIER_RULE } from '../core/validate/refusals.js';
import type { Engine } from '../engine/engine.js';
import type { Stats } from '../observe/stats.js';
import type { Authorization } from './authorize.js';
import type { RpcMethod } from './outcome.js';

export interface RpcSettings {
  /** `-unknown_pulse_response`: what a monitor hears about an update that does not exist (updates.md C6). */
  readonly unknownPulseResponse: 'INVALID_REQUEST' | 'FINISHED';
}

export interface RpcDeps {
  readonly engine: Engine;
  readonly limits: ValidationLimits;
  readonly settings: RpcSettings;
  readonly stats: Pick<Stats, 'increment'>;
  /** For methods that alone know which job a call is about; unset while authentication is off. */
  readonly authorization?: Authorization;
}

export { refuseIf } from '../core/validate/refusals.js';

/** Methods by their name in the IDL. */
export type RpcMethods = Readonly<Record<string, RpcMethod>>;

/** A key as a client sent it: any part may be missing. */
export interface SentUpdateKey {
  readonly job?: Partial<JobKey>;
  readonly id?: string;
}

/** @throws RefusedError when the validation refused */
export function validOf<T>(validated: Validated<T>): T {
  if (validated.refusal === undefined) return validated.ok;
  const { code, message } = validated.refusal;
  throw new RefusedError(code, message);
}

/** @throws RefusedError ERROR for a missing argument (rpc.md §1, `ERR*`) */
export function given<T>(args: Readonly<Record<string, unknown>>, name: string): T {
  const value = args[name];
  if (value === undefined) throw new RefusedError('ERROR', `${name} must be set`);
  return value as T;
}

/**
 * @param field what the message calls the key
 * @throws RefusedError ERROR for a missing or malformed key (rpc.md §11, `ERR*`)
 */
export function validJobKey(field: string, key: Partial<JobKey> | undefined): JobKey {
  if (isValidJobKey(key)) return key;
  throw new RefusedError(
    'ERROR',
    key === undefined
      ? `${field} must be set`
      : `${field}: role, environment and name each ${IDENTIFIER_RULE}`,
  );
}

/**
 * The key of an update. Only its job is checked: an id nobody made is the id of no update (updates.md §2.5).
 *
 * @throws RefusedError ERROR for a missing key, or one without a valid job
 */
export function validUpdateKey(key: SentUpdateKey | undefined): JobUpdateKey {
  if (key === undefined) throw new RefusedError('ERROR', 'key must be set');
  return { job: validJobKey('key.job', key.job), id: key.id ?? '' };
}

/** Adds the size of a read's result to its counter (rpc.md §1, "Stats"). */
export function countResult(deps: RpcDeps, method: string, size: number): void {
  deps.stats.increment(`scheduler_thrift_workload_${method}`, size);
}

/** Adds the instances or tasks an RPC changed to its counter (rpc.md §11, "Counter"). */
export function countWork(deps: RpcDeps, method: string, size: number): void {
  deps.stats.increment(`thrift_workload_${method}`, size);
}
