import type { ExplicitUpdateStatus, UpdateStatus } from '../../../src/core/model/statuses.js';
import {
  EXPLICIT_UPDATE_STATUSES,
  UPDATE_STATUSES,
  isActiveUpdate,
  isTerminalUpdate,
} from '../../../src/core/model/statuses.js';
import {
  awaitingOf,
  evaluationFor,
  explicitStatus,
  explicitSuccessors,
  mayFollow,
  pausedOf,
} from '../../../src/core/update/status-table.js';

/** The table once more, one line for each entry, by the names the specification's §2.4 uses. */
const EXPECTED = `
RF RB   | RF RFP | RF RFA | RF ROLLED_FORWARD | RF ABORTED | RF FAILED | RF ERROR
RB RBP  | RB RBA | RB ROLLED_BACK | RB ABORTED | RB FAILED | RB ERROR
RFP RF  | RFP RB | RFP RFA | RFP ABORTED | RFP ERROR
RBP RB  | RBP RBA | RBP ABORTED | RBP ERROR
RFA RF  | RFA RB | RFA RFP | RFA ABORTED | RFA ERROR
RBA RB  | RBA RBP | RBA ABORTED | RBA ERROR
`;
const SHORT: Readonly<Record<UpdateStatus, string>> = {
  ROLLING_FORWARD: 'RF',
  ROLLING_BACK: 'RB',
  ROLL_FORWARD_PAUSED: 'RFP',
  ROLL_BACK_PAUSED: 'RBP',
  ROLL_FORWARD_AWAITING_PULSE: 'RFA',
  ROLL_BACK_AWAITING_PULSE: 'RBA',
  ROLLED_FORWARD: 'ROLLED_FORWARD',
  ROLLED_BACK: 'ROLLED_BACK',
  ABORTED: 'ABORTED',
  ERROR: 'ERROR',
  FAILED: 'FAILED',
};
const allowed = new Set(
  EXPECTED.split(/[|\n]/)
    .map((entry) => entry.trim())
    .filter((entry) => entry !== ''),
);
const pairs = UPDATE_STATUSES.flatMap((from) => UPDATE_STATUSES.map((to) => [from, to] as const));

describe('events', () => {
  test('UPD-068 there are 121 pairs, 31 of them allowed', () => {
    expect(pairs).toHaveLength(121);
    expect(allowed.size).toBe(31);
    expect(pairs.filter(([from, to]) => mayFollow(from, to))).toHaveLength(31);
  });

  test.each(pairs)('UPD-068 %s then %s', (from, to) => {
    expect(mayFollow(from, to)).toBe(allowed.has(`${SHORT[from]} ${SHORT[to]}`));
  });

  test.each(UPDATE_STATUSES)(
    'UPD-068 %s starts the evaluation it stands for, or stops it',
    (to) => {
      const expected = { RF: 'ROLL_FORWARD', RB: 'ROLL_BACK' }[SHORT[to]] ?? 'STOP';
      expect(evaluationFor(to)).toBe(expected);
    },
  );
});

describe('stored states', () => {
  const NEXT: Readonly<Record<ExplicitUpdateStatus, readonly string[]>> = {
    ROLLING_FORWARD: ['RB', 'RFP', 'ROLLED_FORWARD', 'ABORTED', 'FAILED', 'ERROR'],
    ROLLING_BACK: ['RBP', 'ROLLED_BACK', 'ABORTED', 'FAILED', 'ERROR'],
    ROLL_FORWARD_PAUSED: ['RF', 'RB', 'ABORTED', 'ERROR'],
    ROLL_BACK_PAUSED: ['RB', 'ABORTED', 'ERROR'],
    ROLLED_FORWARD: [],
    ROLLED_BACK: [],
    ABORTED: [],
    ERROR: [],
    FAILED: [],
  };

  test.each(EXPLICIT_UPDATE_STATUSES)('what may follow %s', (from) => {
    const successors = [...explicitSuccessors(from)].map((status) => SHORT[status]);
    expect(successors.sort()).toEqual([...NEXT[from]].sort());
  });

  test('the two synthesized statuses are stored as rolling; all others as themselves', () => {
    for (const status of UPDATE_STATUSES) {
      const expected = { RFA: 'RF', RBA: 'RB' }[SHORT[status]] ?? SHORT[status];
      expect(SHORT[explicitStatus(status)]).toBe(expected);
    }
  });

  test('rolling, its pause and its wait belong together', () => {
    expect(SHORT[awaitingOf('ROLLING_FORWARD')]).toBe('RFA');
    expect(SHORT[awaitingOf('ROLLING_BACK')]).toBe('RBA');
    expect(SHORT[pausedOf('ROLLING_FORWARD')]).toBe('RFP');
    expect(SHORT[pausedOf('ROLLING_BACK')]).toBe('RBP');
  });

  test('five statuses end an update, and nothing follows exactly these', () => {
    const terminal = UPDATE_STATUSES.filter(isTerminalUpdate).map((status) => SHORT[status]);
    expect(terminal).toEqual(['ROLLED_FORWARD', 'ROLLED_BACK', 'ABORTED', 'ERROR', 'FAILED']);
    for (const from of UPDATE_STATUSES) {
      expect(UPDATE_STATUSES.some((to) => mayFollow(from, to))).toBe(isActiveUpdate(from));
    }
  });
});
