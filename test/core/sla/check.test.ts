/** updates.md §3.10, tasks.md §9.2 and §12 (TASK-090 to TASK-094): counts and percentages. */
import type { SlaPolicy } from '../../../src/core/model/config.js';
import type { ScheduleStatus } from '../../../src/core/model/statuses.js';
import type { SlaCandidate, SlaFacts } from '../../../src/core/sla/check.js';
import {
  checkSla,
  checkTogether,
  meetsCount,
  meetsPercentage,
} from '../../../src/core/sla/check.js';

const SETTINGS = { minRequiredInstances: 2, awareKillNonProd: false };
const HOUR_MS = 3_600_000;
const COORDINATED: SlaPolicy = { coordinatorSlaPolicy: { coordinatorUrl: 'http://c' } };
const count = (n: number, durationSecs = 1800): SlaPolicy => ({
  countSlaPolicy: { count: n, durationSecs },
});
const percentage = (n: number, durationSecs = 1800): SlaPolicy => ({
  percentageSlaPolicy: { percentage: n, durationSecs },
});

function candidate(policy: SlaPolicy, more: Partial<SlaCandidate> = {}): SlaCandidate {
  return { taskId: 't0', status: 'RUNNING', production: true, policy, ...more };
}

/** Tasks t0, t1, … RUNNING for so many ms; undefined: active, but not RUNNING. */
function job(...ages: (number | undefined)[]): SlaFacts {
  const running = ages.flatMap((age, n) => (age === undefined ? [] : [[`t${n}`, age] as const]));
  return { active: ages.length, running: new Map(running) };
}

test.each<[string, SlaPolicy, SlaFacts, 'pass' | 'wait']>([
  ['TASK-090 2 of 3 stay up', count(2), job(HOUR_MS, HOUR_MS, HOUR_MS), 'pass'],
  ['TASK-091 the third is PENDING', count(2), job(HOUR_MS, HOUR_MS, undefined), 'wait'],
  ['TASK-091 the third has just begun', count(2), job(HOUR_MS, HOUR_MS, 0), 'wait'],
  ['TASK-091 percentage, just begun', percentage(66), job(HOUR_MS, HOUR_MS, 0), 'wait'],
  ['TASK-092 all 3 are to stay: 2 will do', count(3), job(HOUR_MS, HOUR_MS, HOUR_MS), 'pass'],
  ['TASK-092 with the third PENDING', count(3), job(HOUR_MS, HOUR_MS, undefined), 'wait'],
  ['TASK-094 66 % of 3', percentage(66), job(HOUR_MS, HOUR_MS, HOUR_MS), 'pass'],
  ['TASK-094 66 %, third PENDING', percentage(66), job(HOUR_MS, HOUR_MS, undefined), 'wait'],
  ['TASK-094 67 % of 3: 66.67 will do', percentage(67), job(HOUR_MS, HOUR_MS, HOUR_MS), 'pass'],
  ['TASK-094 67 %, third PENDING', percentage(67), job(HOUR_MS, HOUR_MS, undefined), 'wait'],
  ['more than durationSecs', count(1, 10), job(HOUR_MS, 10_001), 'pass'],
  ['durationSecs exactly is not enough', count(1, 10), job(HOUR_MS, 10_000), 'wait'],
  ['0 s: anything older than now', count(1, 0), job(HOUR_MS, 1), 'pass'],
  ['0 s: begun in this very moment', count(1, 0), job(HOUR_MS, 0), 'wait'],
  ['the task itself does not count', count(1), job(HOUR_MS, undefined), 'wait'],
])('%s', (_, policy, facts, answer) => {
  expect(checkSla(candidate(policy), facts, SETTINGS)).toBe(answer);
});

describe('TASK-093 who has no SLA', () => {
  const broken = job(HOUR_MS, undefined, undefined);
  test.each([['count', count(2)] as const, ['percentage', percentage(66)] as const])(
    '%s',
    (_, policy) => {
      const small = { ...SETTINGS, minRequiredInstances: 4 };
      expect(checkSla(candidate(policy), broken, small)).toBe('pass');
      expect(checkSla(candidate(policy), broken, { ...small, minRequiredInstances: 3 })).toBe(
        'wait',
      );
      const preemptible = candidate(policy, { production: false });
      expect(checkSla(preemptible, broken, SETTINGS)).toBe('pass');
      expect(checkSla(preemptible, broken, { ...SETTINGS, awareKillNonProd: true })).toBe('wait');
    },
  );

  test.each<[ScheduleStatus, boolean]>([
    ['PENDING', true],
    ['THROTTLED', true],
    ['ASSIGNED', false],
    ['STARTING', false],
    ['PARTITIONED', false],
  ])('a %s task passes at once: %s, whatever its policy', (status, passes) => {
    const answer = passes ? 'pass' : 'wait';
    expect(checkSla(candidate(count(2), { status }), broken, SETTINGS)).toBe(answer);
    const asked = passes ? 'pass' : 'ask-coordinator';
    expect(checkSla(candidate(COORDINATED, { status }), broken, SETTINGS)).toBe(asked);
  });
});

test('a coordinator is asked whatever the tier and the number of instances', () => {
  const settings = { minRequiredInstances: 20, awareKillNonProd: false };
  const asked = candidate(COORDINATED, { production: false });
  expect(checkSla(asked, job(HOUR_MS), settings)).toBe('ask-coordinator');
});

test('a policy of no known kind never passes', () => {
  expect(checkSla(candidate({}), job(HOUR_MS, HOUR_MS, HOUR_MS), SETTINGS)).toBe('wait');
});

test.each<[others: number, count: number, active: number, meets: boolean]>([
  [9, 9, 10, true],
  [8, 9, 10, false],
  [9, 10, 10, true],
  [9, 1_000, 10, true],
  [8, 10, 10, false],
  [0, 0, 10, true],
  [0, 1, 1, true],
])('%i others up, count %i of %i: %s', (others, wanted, active, meets) => {
  expect(meetsCount(others, wanted, active)).toBe(meets);
});

test.each<[others: number, percentage: number, active: number, meets: boolean]>([
  [19, 95, 20, true],
  [18, 95, 20, false],
  // (1 − 0.9)·10 is a little less than 1 in floating point: the bound is (10 − 1)/10 then, which is the same.
  [9, 90, 10, true],
  [8, 90, 10, false],
  [9, 99.9, 10, true],
  [9, 100, 10, true],
  [9, 250, 10, true],
  [8, 100, 10, false],
  [0, 0, 10, true],
  [0, 100, 1, true],
  [2, 66.7, 3, true],
  [66, 66, 100, true],
  [65, 66, 100, false],
])('%i others up, %d %% of %i: %s', (others, wanted, active, meets) => {
  expect(meetsPercentage(others, wanted, active)).toBe(meets);
});

test('of several at once each that passes is missing when the next is looked at', () => {
  const five = job(HOUR_MS, HOUR_MS, HOUR_MS, HOUR_MS, HOUR_MS);
  const candidates = [0, 1, 2, 3].map((n) => candidate(count(3), { taskId: `t${n}` }));
  expect([...checkTogether(candidates, five, SETTINGS).values()]).toEqual([
    'pass',
    'pass',
    'wait',
    'wait',
  ]);
  // One that passes for another reason is missing, too.
  const forced = [
    candidate(count(9), { production: false }),
    candidate(count(4), { taskId: 't1' }),
  ];
  expect([...checkTogether(forced, five, SETTINGS)]).toEqual([
    ['t0', 'pass'],
    ['t1', 'wait'],
  ]);
  expect(five.running.size).toBe(5);
});
