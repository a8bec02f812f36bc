import type { UpdateStatus } from '../../../src/core/model/statuses.js';
import { EXPLICIT_UPDATE_STATUSES } from '../../../src/core/model/statuses.js';
import type { Heartbeat, Verdict } from '../../../src/core/update/gate.js';
import { gate, isFresh, viewStatus } from '../../../src/core/update/gate.js';

const P = 10_000;
const at = (mono: number, others: Partial<Heartbeat> = {}): Heartbeat => ({
  mono,
  wall: 1_700_000_000_000 + mono,
  ...others,
});

describe('G1 fresh strictly inside P', () => {
  test.each<[string, number, Heartbeat | undefined, number, Verdict]>([
    ['never pulsed', P, undefined, 0, 'closed'],
    ['never pulsed, much later', P, undefined, 1e12, 'closed'],
    ['pulsed this instant', P, at(5_000), 5_000, 'open'],
    ['one ms before P', P, at(5_000), 5_000 + P - 1, 'open'],
    ['a fraction of a ms before P', P, at(5_000), 5_000 + P - 0.001, 'open'],
    ['exactly P', P, at(5_000), 5_000 + P, 'closed'],
    ['one ms after P', P, at(5_000), 5_000 + P + 1, 'closed'],
    ['pulsed at the clock’s zero', P, at(0), P - 1, 'open'],
    ['P of one ms, same instant', 1, at(7), 7, 'open'],
    ['P of one ms, one ms later', 1, at(7), 8, 'closed'],
    ['P = 0, never pulsed', 0, undefined, 0, 'open'],
    ['P = 0, pulsed long ago', 0, at(0), 1e12, 'open'],
  ])('%s', (_what, p, heartbeat, now, verdict) => {
    expect(gate(p, heartbeat, now)).toBe(verdict);
    if (p > 0) expect(isFresh(heartbeat, p, now)).toBe(verdict === 'open');
  });

  test.each([-3_600_000, 3_600_000])('the wall clock moved by %i ms means nothing', (step) => {
    const heartbeat = at(5_000, { wall: step });
    expect(gate(P, heartbeat, 5_000 + P - 1)).toBe('open');
    expect(gate(P, heartbeat, 5_000 + P)).toBe('closed');
  });
});

describe('G2 what readers see', () => {
  const CLOSED: Partial<Record<UpdateStatus, UpdateStatus>> = {
    ROLLING_FORWARD: 'ROLL_FORWARD_AWAITING_PULSE',
    ROLLING_BACK: 'ROLL_BACK_AWAITING_PULSE',
  };

  test.each(EXPLICIT_UPDATE_STATUSES)('%s behind an open and a closed gate', (state) => {
    expect(viewStatus(state, 'open')).toBe(state);
    expect(viewStatus(state, 'closed')).toBe(CLOSED[state] ?? state);
  });
});
