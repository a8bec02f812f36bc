/** How a validation says no: a value, not an exception. */
import { RefusedError } from '../errors.js';

/** `message` names the field and the rule it breaks; no client parses it. */
export interface Refusal {
  readonly code: 'INVALID_REQUEST' | 'ERROR';
  readonly message: string;
}

/** Either the validated thing, filled and normalised, or why it was refused. */
export type Validated<T> =
  | { readonly ok: T; readonly refusal?: undefined }
  | { readonly ok?: undefined; readonly refusal: Refusal };

/** For whoever must stop there. @throws RefusedError when a check said no */
export function refuseIf(refusal: Refusal | undefined): void {
  if (refusal !== undefined) throw new RefusedError(refusal.code, refusal.message);
}

export function invalid(message: string): Refusal {
  return { code: 'INVALID_REQUEST', message };
}

/** Where the reference fails with a runtime error (rpc.md §1, `ERR*`); ours has a text. */
export function error(message: string): Refusal {
  return { code: 'ERROR', message };
}

const MAX_QUOTED = 100;

/** A client's text inside a message: in quotes, escaped, and cut where it is long. */
export function quoted(text: string | undefined): string {
  if (text === undefined) return 'nothing';
  return text.length > MAX_QUOTED
    ? `${JSON.stringify(text.slice(0, MAX_QUOTED))}…`
    : JSON.stringify(text);
}

export const IDENTIFIER_RULE =
  'must be 1 to 255 ASCII letters, digits, underscores, dashes or dots';
