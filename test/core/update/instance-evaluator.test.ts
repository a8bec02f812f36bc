import type { StoredConfig, TaskConfig } from '../../../src/core/model/config.js';
import type { ScheduleStatus } from '../../../src/core/model/statuses.js';
import { SCHEDULE_STATUSES } from '../../../src/core/model/statuses.js';
import type { InstanceTask } from '../../../src/core/update/instance-evaluator.js';
import { evaluateInstance, placeFits } from '../../../src/core/update/instance-evaluator.js';
import { NEW, OLD, aConfig } from './builders.js';

const W = 60_000;
const DAY = 86_400_000;

/** What an evaluator is fed: nothing there, a change of a task, or time that passes on the last one. */
type Feed = 'absent' | `${'OLD' | 'NEW'} ${ScheduleStatus}` | { readonly later: number };

interface Script {
  readonly target: StoredConfig | undefined;
  readonly tolerance?: number;
}

/** Feeds an evaluator line by line and returns what it said to each. */
function play({ target, tolerance = 1 }: Script, feeds: readonly Feed[]): string[] {
  const configs = new Map([OLD, ...(target === undefined ? [] : [target])].map((c) => [c.hash, c]));
  const rules = {
    target: target?.hash,
    minWaitMs: W,
    maxFailures: tolerance,
    placeFits: (existing: string, wanted: string): boolean => {
      const [from, to] = [configs.get(existing), configs.get(wanted)];
      return from !== undefined && to !== undefined && placeFits(from.config, to.config);
    },
  };
  let task: InstanceTask | undefined;
  let failures = 0;
  return feeds.map((feed) => {
    if (feed === 'absent') {
      task = undefined;
    } else if (typeof feed === 'object') {
      const event = task?.newestEvent;
      if (task !== undefined && event !== undefined) {
        task = { ...task, newestEvent: { ...event, ageMs: event.ageMs + feed.later } };
      }
    } else {
      const [whose, status] = feed.split(' ') as ['OLD' | 'NEW', ScheduleStatus];
      const configHash = whose === 'OLD' ? OLD.hash : (target?.hash ?? NEW.hash);
      const before = task?.configHash === configHash && task.everKilling;
      task = {
        taskId: whose,
        status,
        configHash,
        everKilling: before || status === 'KILLING',
        newestEvent: { id: status, ageMs: 0 },
      };
    }
    const verdict = evaluateInstance(rules, task, failures);
    failures = verdict.failures;
    return verdict.result;
  });
}

const NEW_COMES_UP: readonly Feed[] = [
  'NEW PENDING',
  'NEW ASSIGNED',
  'NEW STARTING',
  'NEW RUNNING',
  { later: W },
];
const CAME_UP = ['WAIT', 'WAIT', 'WAIT', 'WATCH', 'SUCCEEDED'];

describe('scripts of one instance', () => {
  test('UPD-040 an old task is killed, its place kept, and the new one watched for W', () => {
    const feeds: Feed[] = ['OLD RUNNING', 'OLD KILLING', 'OLD FINISHED', ...NEW_COMES_UP];
    const says = ['KILL_AND_RESERVE', 'WAIT', 'ADD', ...CAME_UP];
    expect(play({ target: NEW }, feeds)).toEqual(says);
  });

  test.each<[string, Partial<TaskConfig>]>([
    [
      'needs 2 CPU instead of 1',
      { resources: [{ numCpus: 2 }, { ramMb: 128 }, { diskMb: 64 }, { namedPort: 'http' }] },
    ],
    [
      'has another constraint',
      { constraints: [{ name: 'host', constraint: { limit: { limit: 1 } } }] },
    ],
  ])('UPD-041 no place is kept for a target that %s', (_what, changes) => {
    const feeds: Feed[] = ['OLD RUNNING', 'OLD KILLING', 'OLD FINISHED', ...NEW_COMES_UP];
    const says = ['KILL', 'WAIT', 'ADD', ...CAME_UP];
    expect(play({ target: aConfig('new', changes) }, feeds)).toEqual(says);
  });

  test('UPD-042 a tolerated failure of the new task is waited out', () => {
    expect(play({ target: NEW }, ['NEW RUNNING', 'NEW FAILED', ...NEW_COMES_UP])).toEqual([
      'WATCH',
      'WAIT',
      ...CAME_UP,
    ]);
  });

  test('UPD-043 with tolerance 0 the first failure is the end', () => {
    expect(play({ target: NEW, tolerance: 0 }, ['NEW FAILED'])).toEqual(['FAILED']);
  });

  test('UPD-043 "more than": tolerance 2 takes two failures and ends with the third', () => {
    const feeds: Feed[] = ['NEW FAILED', 'NEW RUNNING', 'NEW LOST', 'NEW RUNNING', 'NEW FINISHED'];
    expect(play({ target: NEW, tolerance: 2 }, feeds)).toEqual([
      'WAIT',
      'WATCH',
      'WAIT',
      'WATCH',
      'FAILED',
    ]);
  });

  test('UPD-044 what already is as it should be succeeds', () => {
    expect(play({ target: NEW }, ['NEW RUNNING', { later: W }])).toEqual(['WATCH', 'SUCCEEDED']);
    expect(play({ target: undefined }, ['absent'])).toEqual(['SUCCEEDED']);
  });

  test('UPD-044 W is reached exactly at W, not before', () => {
    expect(play({ target: NEW }, ['NEW RUNNING', { later: W - 1 }, { later: 1 }])).toEqual([
      'WATCH',
      'WATCH',
      'SUCCEEDED',
    ]);
  });

  test('UPD-045 without an old task the new one is added', () => {
    expect(play({ target: NEW }, ['absent', ...NEW_COMES_UP])).toEqual(['ADD', ...CAME_UP]);
  });

  test('UPD-046 an instance that shall not exist is killed, without keeping its place', () => {
    const feeds: Feed[] = ['OLD RUNNING', 'OLD KILLING', 'OLD FINISHED', 'OLD FINISHED'];
    const says = ['KILL', 'WAIT', 'SUCCEEDED', 'SUCCEEDED'];
    expect(play({ target: undefined }, feeds)).toEqual(says);
  });

  test('UPD-047 stuck in PENDING is waiting, not failing', () => {
    expect(play({ target: NEW }, ['NEW PENDING', { later: DAY }])).toEqual(['WAIT', 'WAIT']);
  });

  test.each([NEW, undefined])('UPD-047 a task without events is an argument error', (target) => {
    const rules = { target: target?.hash, minWaitMs: W, maxFailures: 1, placeFits: () => true };
    const task = { taskId: 't', status: 'RUNNING', configHash: 'new', everKilling: false } as const;
    expect(() => evaluateInstance(rules, task, 0)).toThrow(RangeError);
  });

  test('UPD-048 a kill may take as long as it likes', () => {
    const feeds: Feed[] = ['absent', ...NEW_COMES_UP.slice(0, 4), 'NEW KILLING', { later: DAY }];
    expect(play({ target: NEW }, feeds)).toEqual(['ADD', ...CAME_UP.slice(0, 4), 'WAIT', 'WAIT']);
  });

  test('UPD-049 an old task that dies by itself is replaced by its own kind first', () => {
    const feeds: Feed[] = ['OLD FINISHED', 'OLD PENDING', 'absent', ...NEW_COMES_UP];
    const says = ['WAIT', 'KILL_AND_RESERVE', 'ADD', ...CAME_UP];
    expect(play({ target: NEW }, feeds)).toEqual(says);
  });
});

describe('every state of a task against every target', () => {
  /** Status → result when [nothing is wanted, NEW is wanted and there, NEW is wanted and OLD there]. */
  const EXPECTED: Readonly<Record<ScheduleStatus, readonly [string, string, string]>> = {
    INIT: ['WAIT', 'WAIT', 'WAIT'],
    THROTTLED: ['KILL', 'WAIT', 'KILL_AND_RESERVE'],
    PENDING: ['KILL', 'WAIT', 'KILL_AND_RESERVE'],
    ASSIGNED: ['KILL', 'WAIT', 'KILL_AND_RESERVE'],
    STARTING: ['KILL', 'WAIT', 'KILL_AND_RESERVE'],
    RUNNING: ['KILL', 'SUCCEEDED', 'KILL_AND_RESERVE'],
    PREEMPTING: ['KILL', 'WAIT', 'KILL_AND_RESERVE'],
    RESTARTING: ['KILL', 'WAIT', 'KILL_AND_RESERVE'],
    DRAINING: ['KILL', 'WAIT', 'KILL_AND_RESERVE'],
    PARTITIONED: ['KILL', 'WAIT', 'KILL_AND_RESERVE'],
    KILLING: ['WAIT', 'WAIT', 'WAIT'],
    FINISHED: ['WAIT', 'FAILED 1', 'WAIT'],
    FAILED: ['WAIT', 'FAILED 1', 'WAIT'],
    KILLED: ['WAIT', 'FAILED 1', 'WAIT'],
    LOST: ['WAIT', 'FAILED 1', 'WAIT'],
  };

  function say(target: string | undefined, configHash: string, task: Partial<InstanceTask>) {
    const { result, failures } = evaluateInstance(
      { target, minWaitMs: W, maxFailures: 0, placeFits: () => true },
      {
        taskId: 't',
        status: 'RUNNING',
        configHash,
        everKilling: false,
        newestEvent: { id: 'e', ageMs: W },
        ...task,
      },
      0,
    );
    return failures === 0 ? result : `${result} ${failures}`;
  }

  test.each(SCHEDULE_STATUSES)('%s', (status) => {
    expect([
      say(undefined, 'old', { status }),
      say('new', 'new', { status }),
      say('new', 'old', { status }),
    ]).toEqual(EXPECTED[status]);
  });

  test.each(SCHEDULE_STATUSES.filter((status) => status !== 'KILLING'))(
    '%s after KILLING is as good as absent, and no failure',
    (status) => {
      const killed = { status, everKilling: true };
      expect(say(undefined, 'old', killed)).toBe('SUCCEEDED');
      expect(say('new', 'new', killed)).toBe('ADD');
      expect(say('new', 'old', killed)).toBe('ADD');
    },
  );

  test('KILLING itself is waited for', () => {
    const killing = { status: 'KILLING', everKilling: true } as const;
    expect(say(undefined, 'old', killing)).toBe('WAIT');
    expect(say('new', 'new', killing)).toBe('WAIT');
    expect(say('new', 'old', killing)).toBe('WAIT');
  });

  test('with W = 0 a running task succeeds on the spot', () => {
    const rules = { target: 'new', minWaitMs: 0, maxFailures: 0, placeFits: () => true };
    const task: InstanceTask = {
      taskId: 't',
      status: 'RUNNING',
      configHash: 'new',
      everKilling: false,
      newestEvent: { id: 'e', ageMs: 0 },
    };
    expect(evaluateInstance(rules, task, 0)).toEqual({ result: 'SUCCEEDED', failures: 0 });
  });
});

describe('does the old place fit the new task', () => {
  const base = OLD.config;
  const withResources = (...resources: TaskConfig['resources']): TaskConfig => ({
    ...base,
    resources,
  });
  const host = { name: 'host', constraint: { limit: { limit: 1 } } };
  const rack = (...values: string[]) => ({
    name: 'rack',
    constraint: { value: { negated: false, values } },
  });

  test.each<[string, TaskConfig, TaskConfig, boolean]>([
    ['the same', base, base, true],
    ['less of one kind', withResources({ numCpus: 2 }), withResources({ numCpus: 1 }), true],
    ['more of one kind', withResources({ numCpus: 1 }), withResources({ numCpus: 1.5 }), false],
    [
      'less of one, more of another',
      withResources({ numCpus: 2 }, { ramMb: 1 }),
      withResources({ numCpus: 1 }, { ramMb: 2 }),
      false,
    ],
    ['a kind the old one has not', withResources(), withResources({ numGpus: 1 }), false],
    ['a kind the new one has not', withResources({ numGpus: 1 }), withResources(), true],
    [
      'another port name',
      withResources({ namedPort: 'a' }),
      withResources({ namedPort: 'b' }),
      true,
    ],
    [
      'one more port',
      withResources({ namedPort: 'a' }),
      withResources({ namedPort: 'a' }, { namedPort: 'b' }),
      false,
    ],
    [
      'the same constraints in another order',
      { ...base, constraints: [host, rack('a', 'b')] },
      { ...base, constraints: [rack('b', 'a'), host] },
      true,
    ],
    ['a constraint more', base, { ...base, constraints: [host] }, false],
    ['a constraint less', { ...base, constraints: [host] }, base, false],
    ['other fields', base, { ...base, priority: 5, production: true, tier: 'preferred' }, true],
  ])('%s', (_what, existing, target, fits) => {
    expect(placeFits(existing, target)).toBe(fits);
  });
});
