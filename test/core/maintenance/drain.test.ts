import type { Drain } from '../../../src/core/maintenance/drain.js';
import { countdownMs, drainStep, isDrainable } from '../../../src/core/maintenance/drain.js';
import { SCHEDULE_STATUSES } from '../../../src/core/model/statuses.js';

const COUNT = { countSlaPolicy: { count: 2, durationSecs: 1800 } };
const PERCENTAGE = { percentageSlaPolicy: { percentage: 95, durationSecs: 1800 } };

const draining = (request?: Drain['request']): Drain => ({
  host: 'a',
  mode: 'DRAINING',
  ...(request === undefined ? {} : { request }),
});
const asked = (ageMs: number, timeoutSecs = 10): Drain['request'] => ({
  ...{ policy: COUNT, timeoutSecs, ageMs },
});

test.each([
  ['the request has one, the task none', asked(0), undefined, COUNT],
  ["the task's own comes first", asked(0), PERCENTAGE, PERCENTAGE],
  ['a union without a member is none', asked(0), {}, COUNT],
  ['to the last moment of the time', asked(10_000), undefined, COUNT],
  ['only the task has one', { timeoutSecs: 10, ageMs: 0 }, PERCENTAGE, PERCENTAGE],
  ['a clock that went back', asked(-5_000), undefined, COUNT],
  ['more seconds than anybody lives', asked(0, Number.MAX_SAFE_INTEGER), undefined, COUNT],
])('a policy is asked: %s', (_, request, own, policy) => {
  expect(drainStep(draining(request), own)).toEqual({ kind: 'check', policy });
});

test.each([
  ['the time is up', draining(asked(10_001)), PERCENTAGE],
  ['no time was given', draining(asked(0, 0)), PERCENTAGE],
  ['less than none', draining(asked(0, -5)), PERCENTAGE],
  ['there is no policy at all', draining({ timeoutSecs: 10, ageMs: 0 }), undefined],
  ['nor one that says anything', draining({ timeoutSecs: 10, ageMs: 0, policy: {} }), {}],
  ['the host counts as empty', { host: 'a', mode: 'DRAINED' } as const, PERCENTAGE],
])('the task goes: %s', (_, drain, own) => {
  expect(drainStep(drain, own)).toEqual({ kind: 'drain' });
});

test('without a request the task is left alone', () => {
  expect(drainStep(draining(), undefined)).toEqual({ kind: 'leave' });
});

test('the countdown goes below zero', () => {
  expect(countdownMs({ timeoutSecs: 10, ageMs: 4_000 })).toBe(6_000);
  expect(countdownMs({ timeoutSecs: 10, ageMs: 11_000 })).toBe(-1_000);
});

test('what runs can be drained, what ends or waits cannot', () => {
  expect(SCHEDULE_STATUSES.filter(isDrainable)).toEqual([
    ...['ASSIGNED', 'STARTING', 'RUNNING', 'PARTITIONED'],
  ]);
});
