import { SCHEDULE_STATUSES } from '../../../src/core/model/statuses.js';
import * as messages from '../../../src/core/task/messages.js';
import { excessHistory, pruneDelay } from '../../../src/core/task/pruning.js';
import {
  hasTransientTimeout,
  killRetryDelay,
  partitionTimeout,
  retriesKill,
} from '../../../src/core/task/timeouts.js';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

describe('timeouts', () => {
  test('TASK-033 a normal life arms two timers', () => {
    const life = ['PENDING', 'ASSIGNED', 'STARTING', 'RUNNING', 'KILLING', 'KILLED'] as const;
    expect(life.filter(hasTransientTimeout)).toEqual(['ASSIGNED', 'KILLING']);
  });

  test('the statuses that time out, and the one whose kill is repeated', () => {
    expect(SCHEDULE_STATUSES.filter(hasTransientTimeout)).toEqual([
      'ASSIGNED',
      'PREEMPTING',
      'RESTARTING',
      'DRAINING',
      'KILLING',
    ]);
    expect(SCHEDULE_STATUSES.filter(retriesKill)).toEqual(['KILLING']);
  });

  test('kills are repeated at growing intervals up to the transient timeout', () => {
    const limits = { initialMs: 15_000, maxMs: 5 * MINUTE };
    expect(killRetryDelay(0, limits, 0)).toBe(15_000);
    expect(killRetryDelay(15_000, limits, 0.5)).toBe(22_500);
    expect(killRetryDelay(4 * MINUTE, limits, 0.9)).toBe(5 * MINUTE);
  });

  test('TASK-040 how long a task may stay partitioned', () => {
    expect(partitionTimeout(undefined)).toBe(0);
    expect(partitionTimeout({ reschedule: true, delaySecs: 10 })).toBe(10_000);
    expect(partitionTimeout({ reschedule: true, delaySecs: 0 })).toBe(0);
    expect(partitionTimeout({ reschedule: false, delaySecs: 10 })).toBeUndefined();
  });

  test('TASK-041 after a restart the rest of the delay counts, in whole seconds', () => {
    const policy = { reschedule: true, delaySecs: 10 };
    expect(partitionTimeout(policy, 5_000)).toBe(5_000);
    expect(partitionTimeout(policy, 5_999)).toBe(5_000);
    expect(partitionTimeout(policy, 60_000)).toBe(0);
  });
});

describe('history', () => {
  const limits = { pruneThresholdMs: DAY, minRetentionMs: MINUTE, maxPerJob: 2 };
  const task = (taskId: string, lastEventMs: number) => ({ taskId, lastEventMs });
  const NOW = 10 * DAY;

  test('TASK-068 few ended tasks are only pruned by age', () => {
    expect(excessHistory([task('a', 0), task('b', 1)], NOW, limits)).toEqual([]);
    expect(pruneDelay(NOW, NOW, limits)).toBe(DAY);
  });

  test('TASK-069 each task over the limit pushes the oldest out', () => {
    const [a, b, c, d] = ['a', 'b', 'c', 'd'].map((id, n) => task(id, NOW - HOUR + n * MINUTE));
    expect(excessHistory([c!, a!, b!], NOW, limits)).toEqual(['a']);
    expect(excessHistory([b!, c!, d!], NOW, limits)).toEqual(['b']);
  });

  test('TASK-070 what is younger than the minimum stays', () => {
    const young = [1, 2, 3, 4].map((n) => task(`t${n}`, NOW - n));
    expect(excessHistory(young, NOW, limits)).toEqual([]);
  });

  test('TASK-071 the two oldest of four go', () => {
    const ended = [task('k2', 2), task('l2', 4), task('k1', 1), task('l1', 3)];
    expect(excessHistory(ended, HOUR + 4, limits)).toEqual(['k1', 'k2']);
  });

  test.each([
    ['as old as the threshold', DAY, MINUTE],
    ['half as old', DAY / 2, DAY / 2],
    ['from the future', -HOUR, DAY],
  ])('a task %s', (_name, ageMs, expected) => {
    expect(pruneDelay(NOW - ageMs, NOW, limits)).toBe(expected);
  });
});

describe('messages', () => {
  test('RPC-020 a kill names its user, and the message if one was given', () => {
    expect(messages.killedBy('shiro', 'message')).toBe('Killed by shiro.\nmessage');
    expect(messages.killedBy('shiro', '')).toBe('Killed by shiro.\n');
    expect(messages.killedBy('shiro')).toBe('Killed by shiro');
  });

  test('RPC-021 without a login the user is UNSECURE', () => {
    const { UNSECURE_USER, restartedBy, transitionForcedBy } = messages;
    expect(messages.killedBy(UNSECURE_USER)).toContain('UNSECURE');
    expect(restartedBy(UNSECURE_USER)).toBe('Restarted by UNSECURE');
    expect(transitionForcedBy(UNSECURE_USER)).toBe('Transition forced by UNSECURE');
  });

  test('TASK-105 a limit has a default text, and only a default', () => {
    const { reportedMessage } = messages;
    expect(reportedMessage('memory', 'text')).toBe('text');
    expect(reportedMessage('memory', undefined)).toBe('Task used more memory than requested.');
    expect(reportedMessage('disk', 'text')).toBe('text');
    expect(reportedMessage('disk', undefined)).toBe('Task used more disk than requested.');
    expect(reportedMessage('other', undefined)).toBeUndefined();
  });

  test('texts with a part of their own', () => {
    expect(messages.rescheduledWithPenalty(30_000)).toBe(
      'Rescheduled, penalized for 30000 ms for flapping',
    );
    expect(messages.killedForUpdate('u-1')).toBe('Killed for job update u-1');
    expect(messages.preemptedFor('t-1')).toBe('Preempting in favor of t-1');
    expect(messages.failedHealthCheck('refused')).toBe('Failed health check! refused');
  });
});
