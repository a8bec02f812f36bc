import type { ExplicitUpdateStatus, UpdateStatus } from '../../../src/core/model/statuses.js';
import { EXPLICIT_UPDATE_STATUSES, UPDATE_STATUSES } from '../../../src/core/model/statuses.js';
import type { Verdict } from '../../../src/core/update/gate.js';
import { MSG_GATE_TIMEOUT } from '../../../src/core/update/messages.js';
import {
  explicitStatus,
  explicitSuccessors,
  mayFollow,
} from '../../../src/core/update/status-table.js';
import type { Verb } from '../../../src/core/update/verbs.js';
import { decideStart, decideVerb } from '../../../src/core/update/verbs.js';
import { abbreviation } from './replay.js';

const VERBS: readonly Verb[] = ['pause', 'resume', 'abort', 'rollback'];

/**
 * `X(u)` is an event with the caller's user and message, `X(timeout)` one of the gate; `→ X` the stored
 * state; `tick` an evaluation inside the call.
 */
function describeDecision(verb: Verb, state: ExplicitUpdateStatus, verdict: Verdict): string {
  const decision = decideVerb(verb, state, verdict);
  if (decision.kind === 'nothing') return 'OK';
  if (decision.kind === 'refused') {
    expect(decision.message).toContain(state);
    return 'refused';
  }
  const events = decision.events.map(({ status, audited, message }) => {
    if (audited) {
      expect(message).toBeUndefined();
      return `${abbreviation(status)}(u)`;
    }
    return `${abbreviation(status)}(${message === MSG_GATE_TIMEOUT ? 'timeout' : message})`;
  });
  const tick = decision.evaluate ? ' tick' : '';
  return `${events.join(' ')} → ${abbreviation(decision.state)}${tick}`;
}

/** Stored state → verb → [gate open, gate closed]. */
const EXPECTED: Readonly<Record<ExplicitUpdateStatus, Record<Verb, readonly [string, string]>>> = {
  ROLLING_FORWARD: {
    pause: ['RFP(u) → RFP', 'RFP(u) → RFP'],
    resume: ['OK', 'OK'],
    abort: ['ABORTED(u) → ABORTED', 'ABORTED(u) → ABORTED'],
    rollback: ['RB(u) → RB tick', 'RB(u) RBA(timeout) → RB'],
  },
  ROLL_FORWARD_PAUSED: {
    pause: ['OK', 'OK'],
    resume: ['RF(u) → RF tick', 'RFA(u) → RF'],
    abort: ['ABORTED(u) → ABORTED', 'ABORTED(u) → ABORTED'],
    rollback: ['RB(u) → RB tick', 'RB(u) RBA(timeout) → RB'],
  },
  ROLLING_BACK: {
    pause: ['RBP(u) → RBP', 'RBP(u) → RBP'],
    resume: ['OK', 'OK'],
    abort: ['ABORTED(u) → ABORTED', 'ABORTED(u) → ABORTED'],
    rollback: ['OK', 'OK'],
  },
  ROLL_BACK_PAUSED: {
    pause: ['OK', 'OK'],
    resume: ['RB(u) → RB tick', 'RBA(u) → RB'],
    abort: ['ABORTED(u) → ABORTED', 'ABORTED(u) → ABORTED'],
    rollback: ['RB(u) → RB tick', 'RB(u) RBA(timeout) → RB'],
  },
  ABORTED: {
    pause: ['refused', 'refused'],
    resume: ['refused', 'refused'],
    abort: ['OK', 'OK'],
    rollback: ['refused', 'refused'],
  },
  ROLLED_FORWARD: {
    pause: ['refused', 'refused'],
    resume: ['refused', 'refused'],
    abort: ['refused', 'refused'],
    rollback: ['refused', 'refused'],
  },
  ROLLED_BACK: {
    pause: ['refused', 'refused'],
    resume: ['refused', 'refused'],
    abort: ['refused', 'refused'],
    rollback: ['refused', 'refused'],
  },
  ERROR: {
    pause: ['refused', 'refused'],
    resume: ['refused', 'refused'],
    abort: ['refused', 'refused'],
    rollback: ['refused', 'refused'],
  },
  FAILED: {
    pause: ['refused', 'refused'],
    resume: ['refused', 'refused'],
    abort: ['refused', 'refused'],
    rollback: ['refused', 'refused'],
  },
};

const cells = EXPLICIT_UPDATE_STATUSES.flatMap((state) =>
  VERBS.flatMap((verb) => [
    [state, verb, 'open', EXPECTED[state][verb][0]] as const,
    [state, verb, 'closed', EXPECTED[state][verb][1]] as const,
  ]),
);

describe('verbs by stored state and gate', () => {
  test('the table is whole', () => expect(cells).toHaveLength(9 * 4 * 2));

  test.each(cells)('%s, %s, gate %s: %s', (state, verb, verdict, expected) => {
    expect(describeDecision(verb, state, verdict)).toBe(expected);
  });

  test.each(cells)('%s, %s, gate %s follows the status table', (state, verb, verdict) => {
    const decision = decideVerb(verb, state, verdict);
    if (decision.kind !== 'change') return;
    // Whatever the last event was that this stored state can have behind it.
    const before = UPDATE_STATUSES.filter((status) => explicitStatus(status) === state);
    for (let last of before) {
      for (const { status } of decision.events) {
        expect(mayFollow(last, status)).toBe(true);
        last = status;
      }
      expect(explicitStatus(last)).toBe(decision.state);
    }
    expect(explicitSuccessors(state).has(decision.state)).toBe(true);
  });

  test('SH-15 (pure) aborting twice is fine, aborting what ended otherwise is not', () => {
    expect(describeDecision('abort', 'ABORTED', 'open')).toBe('OK');
    expect(describeDecision('abort', 'FAILED', 'open')).toBe('refused');
  });

  test('UPD-029 (pure) a completed update cannot be rolled back', () => {
    expect(describeDecision('rollback', 'ROLLED_FORWARD', 'open')).toBe('refused');
  });
});

describe('start', () => {
  test.each<[number, UpdateStatus, boolean]>([
    [0, 'ROLLING_FORWARD', true],
    [1, 'ROLL_FORWARD_AWAITING_PULSE', false],
    [10_000, 'ROLL_FORWARD_AWAITING_PULSE', false],
  ])('P = %i begins as %s', (pulseTimeoutMs, status, evaluate) => {
    expect(decideStart(pulseTimeoutMs)).toEqual({ status, evaluate });
  });
});
