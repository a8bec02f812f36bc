/**
 * Which update status may follow which (updates.md §2.4), stated once at the level of events; what the
 * stored state may do, and what pause and resume lead to, is derived from it, so they cannot disagree.
 */
import type {
  AwaitingStatus,
  ExplicitUpdateStatus,
  RollingStatus,
  UpdateStatus,
} from '../model/statuses.js';

export const EVENT_TRANSITIONS: Readonly<Record<UpdateStatus, readonly UpdateStatus[]>> = {
  ROLLING_FORWARD: [
    'ROLLING_BACK',
    'ROLL_FORWARD_PAUSED',
    'ROLL_FORWARD_AWAITING_PULSE',
    'ROLLED_FORWARD',
    'ABORTED',
    'FAILED',
    'ERROR',
  ],
  ROLLING_BACK: [
    'ROLL_BACK_PAUSED',
    'ROLL_BACK_AWAITING_PULSE',
    'ROLLED_BACK',
    'ABORTED',
    'FAILED',
    'ERROR',
  ],
  ROLL_FORWARD_PAUSED: [
    'ROLLING_FORWARD',
    'ROLLING_BACK',
    'ROLL_FORWARD_AWAITING_PULSE',
    'ABORTED',
    'ERROR',
  ],
  ROLL_BACK_PAUSED: ['ROLLING_BACK', 'ROLL_BACK_AWAITING_PULSE', 'ABORTED', 'ERROR'],
  ROLL_FORWARD_AWAITING_PULSE: [
    'ROLLING_FORWARD',
    'ROLLING_BACK',
    'ROLL_FORWARD_PAUSED',
    'ABORTED',
    'ERROR',
  ],
  ROLL_BACK_AWAITING_PULSE: ['ROLLING_BACK', 'ROLL_BACK_PAUSED', 'ABORTED', 'ERROR'],
  ROLLED_FORWARD: [],
  ROLLED_BACK: [],
  ABORTED: [],
  ERROR: [],
  FAILED: [],
};

export function mayFollow(from: UpdateStatus, to: UpdateStatus): boolean {
  return EVENT_TRANSITIONS[from].includes(to);
}

/** What an event makes the engine do: (re)build the updater and evaluate, or stop evaluating. */
export function evaluationFor(status: UpdateStatus): 'ROLL_FORWARD' | 'ROLL_BACK' | 'STOP' {
  if (status === 'ROLLING_FORWARD') return 'ROLL_FORWARD';
  return status === 'ROLLING_BACK' ? 'ROLL_BACK' : 'STOP';
}

/** The stored state an event status stands for: the two synthesized ones are rolling ones, waiting. */
export function explicitStatus(status: UpdateStatus): ExplicitUpdateStatus {
  if (status === 'ROLL_FORWARD_AWAITING_PULSE') return 'ROLLING_FORWARD';
  return status === 'ROLL_BACK_AWAITING_PULSE' ? 'ROLLING_BACK' : status;
}

/** Stored states that may follow a stored state, derived from the event table; never itself. */
export function explicitSuccessors(from: ExplicitUpdateStatus): ReadonlySet<ExplicitUpdateStatus> {
  const successors = new Set<ExplicitUpdateStatus>();
  for (const status of Object.keys(EVENT_TRANSITIONS) as UpdateStatus[]) {
    if (explicitStatus(status) !== from) continue;
    for (const next of EVENT_TRANSITIONS[status]) successors.add(explicitStatus(next));
  }
  successors.delete(from);
  return successors;
}

export function awaitingOf(rolling: RollingStatus): AwaitingStatus {
  return rolling === 'ROLLING_FORWARD' ? 'ROLL_FORWARD_AWAITING_PULSE' : 'ROLL_BACK_AWAITING_PULSE';
}

export function pausedOf(rolling: RollingStatus): 'ROLL_FORWARD_PAUSED' | 'ROLL_BACK_PAUSED' {
  return rolling === 'ROLLING_FORWARD' ? 'ROLL_FORWARD_PAUSED' : 'ROLL_BACK_PAUSED';
}
