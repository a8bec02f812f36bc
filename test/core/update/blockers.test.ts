/** From facts to reasons: what stands in an update's way, in which words, and when it is another episode. */
import type { BlockerFacts, Blockers, InstanceFacts } from '../../../src/core/update/blockers.js';
import { blockersOf, blockersText, episodeOf } from '../../../src/core/update/blockers.js';

const NOW = 1_000_000_000;
const PAUSE = { sinceMs: NOW - 7_200_000, user: 'mon', message: 'why' };

function facts(change: Partial<BlockerFacts> = {}): BlockerFacts {
  return {
    ...{ state: 'ROLLING_FORWARD', verdict: 'open', pulseTimeoutMs: 10_000 },
    ...{ listeningSinceMs: NOW - 90_000, instances: [], minWaitMs: 2_000 },
    ...change,
  };
}

function inState(
  instanceId: number,
  status: 'RUNNING' | 'KILLING' | 'PENDING',
  ageMs: number,
  more: Partial<InstanceFacts> = {},
): InstanceFacts {
  const task = { taskId: `task-${instanceId}`, status, sinceMs: NOW - ageMs };
  return { instanceId, task, isWatched: false, ...more };
}

const text = (change: Partial<BlockerFacts>): string =>
  blockersText(blockersOf(facts(change)), NOW);
const episode = (change: Partial<BlockerFacts>, nowMs = NOW): string | undefined =>
  episodeOf(blockersOf(facts(change)), nowMs);

test('instances are told neither behind a closed gate nor in a pause, a failed step is not either', () => {
  const instances = [inState(0, 'KILLING', 1_000)];
  const closed = blockersOf(facts({ verdict: 'closed', instances, retryDelayMs: 1_000 }));
  expect(closed).toEqual({
    heartbeat: { sinceMs: NOW - 90_000, limitMs: 10_000 },
    instances: [],
  } satisfies Blockers);
  const paused = blockersOf(facts({ state: 'ROLL_BACK_PAUSED', pause: PAUSE, instances }));
  expect(paused).toEqual({ pause: PAUSE, instances: [] } satisfies Blockers);
  // A pause that ended while the facts were gathered is none.
  expect(blockersOf(facts({ pause: PAUSE })).pause).toBeUndefined();
});

test('the longest waiting comes first', () => {
  const instances = [
    ...[inState(2, 'KILLING', 1_000), inState(1, 'PENDING', 5_000), inState(0, 'KILLING', 1_000)],
    { instanceId: 3, takenMs: NOW - 3_000, isWatched: false },
  ];
  const waits = blockersOf(facts({ instances })).instances;
  expect(waits.map(({ instanceId }) => instanceId)).toEqual([1, 3, 0, 2]);
  expect(waits[1]).toEqual({ instanceId: 3, reason: 'TASK', sinceMs: NOW - 3_000 });
});

test('an SLA check holds a task until it is told to die', () => {
  const asked = { slaAskedMs: NOW - 500 };
  const reasons = [inState(0, 'RUNNING', 9_000, asked), inState(1, 'KILLING', 9_000, asked)].map(
    (instance) => blockersOf(facts({ instances: [instance] })).instances[0]?.reason,
  );
  expect(reasons).toEqual(['SLA_CHECK', 'TASK']);
});

const beat = (ageMs: number): Partial<BlockerFacts> => ({
  verdict: 'closed',
  pulse: { at: { mono: 0, wall: NOW - ageMs }, ageMs },
});

test.each<[string, Partial<BlockerFacts>]>([
  ['nothing is in its way', {}],
  ['paused by mon 2 h 0 min ago: why', { state: 'ROLL_FORWARD_PAUSED', pause: PAUSE }],
  [
    'waiting for a heartbeat for 2.5 s; the last one is 12.5 s old, the limit is 10 s',
    beat(12_500),
  ],
  ['a step failed in the scheduler and is repeated after 4 s', { retryDelayMs: 4_000 }],
  [
    'waiting for instance 1, PENDING for 2 min, and for 1 more',
    { instances: [inState(0, 'KILLING', 0), inState(1, 'PENDING', 125_000)] },
  ],
  [
    'waiting for instance 0, watched for 1.5 s more',
    { instances: [inState(0, 'RUNNING', 500, { isWatched: true })] },
  ],
  [
    'waiting for instance 5, without a task for 1 s',
    { instances: [{ instanceId: 5, takenMs: NOW - 1_000, isWatched: false }] },
  ],
  // The wall clock was set back since.
  ['waiting for instance 0, KILLING for 0 s', { instances: [inState(0, 'KILLING', -60_000)] }],
])('%s', (line, change) => {
  expect(text(change)).toBe(line);
});

describe('episodes', () => {
  test('nothing, a watch and a task on its way are none', () => {
    expect(episode({})).toBeUndefined();
    const watched = inState(0, 'RUNNING', 3_600_000, { isWatched: true });
    expect(episode({ instances: [watched] })).toBeUndefined();
    expect(episode({ instances: [inState(0, 'KILLING', 59_999)] })).toBeUndefined();
    expect(episode({ instances: [inState(0, 'KILLING', 60_000)] })).toBeDefined();
  });

  test('time alone makes no other one; another heartbeat, pause or state of a task does', () => {
    expect(episode(beat(12_000))).toBe(episode({ ...beat(12_000) }, NOW + 60_000));
    expect(episode(beat(12_000))).not.toBe(episode(beat(11_000)));
    const paused = { state: 'ROLL_FORWARD_PAUSED', pause: PAUSE } as const;
    // A heartbeat that goes stale during a pause changes nothing: the pause holds.
    expect(episode(paused)).toBe(episode({ ...beat(12_000), ...paused }, NOW + 1));
    const later = { ...paused, pause: { ...PAUSE, sinceMs: NOW } };
    expect(episode(paused)).not.toBe(episode(later));
    const stuck = { instances: [inState(0, 'KILLING', 60_000)] };
    expect(episode(stuck)).toBe(episode(stuck, NOW + 60_000));
    expect(episode(stuck)).not.toBe(episode({ instances: [inState(0, 'PENDING', 60_000)] }));
  });
});
