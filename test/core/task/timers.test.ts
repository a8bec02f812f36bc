import { SCHEDULE_STATUSES } from '../../../src/core/model/statuses.js';
import * as messages from '../../../src/core/task/messages.js';
import { retentionMs } from '../../../src/core/task/pruning.js';
import {
  hasTransientTimeout,
  killRetryDelay,
  partitionTimeout,
  retriesKill,
} from '../../../src/core/task/timeouts.js';

const MINUTE = 60_000;
const DAY = 24 * 60 * MINUTE;

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

test('an ended task is kept for the threshold or the minimum, whichever is longer', () => {
  const limits = { pruneThresholdMs: DAY, minRetentionMs: MINUTE, maxPerJob: 2 };
  expect(retentionMs(limits)).toBe(DAY);
  expect(retentionMs({ ...limits, minRetentionMs: 2 * DAY })).toBe(2 * DAY);
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
