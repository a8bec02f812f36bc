import type { ScheduleStatus } from '../../../src/core/model/statuses.js';
import type { TaskEvent } from '../../../src/core/model/task.js';
import {
  backoff,
  flapped,
  penalty,
  startupDelay,
  throttleDelay,
} from '../../../src/core/task/flapping.js';

const MINUTE = 60_000;
const events = (...pairs: [ScheduleStatus, number][]): TaskEvent[] =>
  pairs.map(([status, timestampMs]) => ({ status, timestampMs }));
const QUICK = events(['PENDING', 100], ['ASSIGNED', 150], ['RUNNING', 200], ['FINISHED', 300]);

/** A backoff that answers from a list, whatever it is asked. */
function scripted(...answers: number[]): (lastMs: number) => number {
  return () => {
    const answer = answers.shift();
    if (answer === undefined) throw new Error('asked once too often');
    return answer;
  };
}

describe('penalty', () => {
  test('TASK-027 none without an ancestor, be it none or deleted', () => {
    expect(penalty([], MINUTE, scripted())).toBe(0);
  });

  test('TASK-028 a quick end costs the first backoff', () => {
    expect(penalty([{ events: QUICK }], MINUTE, scripted(1000))).toBe(1000);
  });

  test('TASK-029 ancestors are read only until the delay stops growing', () => {
    function* ancestors() {
      for (let n = 0; n < 4; n++) yield { events: QUICK };
      throw new Error('read beyond the repeat');
    }
    expect(penalty(ancestors(), MINUTE, scripted(100, 200, 300, 300))).toBe(300);
  });

  test('TASK-030 an interrupted ancestor costs nothing', () => {
    const killed = events(['PENDING', 100], ['RUNNING', 200], ['KILLING', 300], ['KILLED', 400]);
    expect(penalty([{ events: killed }], MINUTE, scripted())).toBe(0);
  });

  test('a generation that held out ends the walk', () => {
    const held = events(['RUNNING', 200], ['FAILED', 200 + MINUTE]);
    const chain = [{ events: QUICK }, { events: held }, { events: QUICK }];
    expect(penalty(chain, MINUTE, scripted(100, 200))).toBe(100);
  });
});

describe('flapped', () => {
  test.each<[string, TaskEvent[], boolean]>([
    ['just under the threshold', events(['RUNNING', 0], ['FAILED', MINUTE - 1]), true],
    ['exactly the threshold', events(['RUNNING', 0], ['FAILED', MINUTE]), false],
    ['no events', [], false],
    ['not ended', events(['PENDING', 0], ['RUNNING', 1]), false],
    [
      'measured from the latest active event',
      events(['PENDING', 0], ['RUNNING', 9], ['LOST', 10]),
      true,
    ],
    ['restarted', events(['RUNNING', 0], ['RESTARTING', 1], ['KILLED', 2]), false],
    ['drained', events(['RUNNING', 0], ['DRAINING', 1], ['KILLED', 2]), false],
    ['preempted is no excuse', events(['RUNNING', 0], ['PREEMPTING', 1], ['KILLED', 2]), true],
    ['ended without ever being active', events(['FAILED', 1]), false],
  ])('%s', (_name, list, expected) => {
    expect(flapped(list, MINUTE)).toBe(expected);
  });
});

describe('delays', () => {
  const limits = { initialMs: 30_000, maxMs: 300_000 };

  test.each([
    [0, 0, 30_000],
    [0, 0.5, 45_000],
    [0, 0.999999, 60_000],
    [45_000, 0, 45_000],
    [45_000, 0.5, 67_500],
    [200_000, 0.9, 300_000],
    [300_000, 0.9, 300_000],
  ])('backoff after %i ms with %d is %i ms', (last, random, expected) => {
    expect(backoff(last, limits, random)).toBe(expected);
  });

  test('TASK-032 a throttled task waits out the rest of its penalty', () => {
    expect(throttleDelay(5_000_000, 100, 5_000_000)).toBe(100);
    expect(throttleDelay(5_000_000 - 3_600_000, 100, 5_000_000)).toBe(0);
  });

  test('a PENDING task found at start waits for a part of the spread and its penalty', () => {
    expect(startupDelay(30_000, 0, 0)).toBe(0);
    expect(startupDelay(30_000, 500, 0.5)).toBe(15_500);
  });
});
