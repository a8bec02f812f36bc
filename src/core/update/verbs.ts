/**
 * What pause, resume, abort and rollback do (updates.md §2.5, G8), by stored state and gate.
 */
import type { ExplicitUpdateStatus, UpdateStatus } from '../model/statuses.js';
import { isRolling, isTerminalUpdate } from '../model/statuses.js';
import type { Verdict } from './gate.js';
import { MSG_GATE_TIMEOUT } from './messages.js';
import { awaitingOf, pausedOf } from './status-table.js';

export type Verb = 'pause' | 'resume' | 'abort' | 'rollback';

/** An event a verb writes: audited ones carry the caller's user and message. */
export interface VerbEvent {
  readonly status: UpdateStatus;
  readonly audited: boolean;
  readonly message?: string;
}

export type VerbDecision =
  | { readonly kind: 'nothing' }
  | { readonly kind: 'refused'; readonly message: string }
  | {
      readonly kind: 'change';
      readonly state: ExplicitUpdateStatus;
      readonly events: readonly VerbEvent[];
      /** The first tick runs inside the verb's transaction. */
      readonly evaluate: boolean;
    };

function enterRolling(
  state: 'ROLLING_FORWARD' | 'ROLLING_BACK',
  verdict: Verdict,
  announceFirst: boolean,
): VerbDecision {
  if (verdict === 'open') {
    return { kind: 'change', state, events: [{ status: state, audited: true }], evaluate: true };
  }
  const blocked: VerbEvent = announceFirst
    ? { status: awaitingOf(state), audited: false, message: MSG_GATE_TIMEOUT }
    : { status: awaitingOf(state), audited: true };
  const events: VerbEvent[] = announceFirst
    ? [{ status: state, audited: true }, blocked]
    : [blocked];
  return { kind: 'change', state, events, evaluate: false };
}

export function decideVerb(
  verb: Verb,
  state: ExplicitUpdateStatus,
  verdict: Verdict,
): VerbDecision {
  if (isTerminalUpdate(state)) {
    return verb === 'abort' && state === 'ABORTED'
      ? { kind: 'nothing' }
      : { kind: 'refused', message: `Update is ${state} and cannot ${verb}.` };
  }
  switch (verb) {
    case 'pause':
      return isRolling(state)
        ? {
            kind: 'change',
            state: pausedOf(state),
            events: [{ status: pausedOf(state), audited: true }],
            evaluate: false,
          }
        : { kind: 'nothing' };
    case 'resume':
      if (isRolling(state)) return { kind: 'nothing' };
      return enterRolling(
        state === 'ROLL_FORWARD_PAUSED' ? 'ROLLING_FORWARD' : 'ROLLING_BACK',
        verdict,
        false,
      );
    case 'abort':
      return {
        kind: 'change',
        state: 'ABORTED',
        events: [{ status: 'ABORTED', audited: true }],
        evaluate: false,
      };
    case 'rollback':
      return state === 'ROLLING_BACK'
        ? { kind: 'nothing' }
        : enterRolling('ROLLING_BACK', verdict, true);
  }
}

/** How a new update begins: blocked until its first pulse when it is coordinated (updates.md §2.3). */
export function decideStart(pulseTimeoutMs: number): {
  readonly status: 'ROLLING_FORWARD' | 'ROLL_FORWARD_AWAITING_PULSE';
  readonly evaluate: boolean;
} {
  return pulseTimeoutMs > 0
    ? { status: 'ROLL_FORWARD_AWAITING_PULSE', evaluate: false }
    : { status: 'ROLLING_FORWARD', evaluate: true };
}
