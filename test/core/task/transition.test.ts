import { SCHEDULE_STATUSES } from '../../../src/core/model/statuses.js';
import type { ScheduleStatus } from '../../../src/core/model/statuses.js';
import type { TaskEvent } from '../../../src/core/model/task.js';
import { appendEvent, transition } from '../../../src/core/task/transition.js';
import type { TaskFacts, TaskState } from '../../../src/core/task/transition.js';

/** `SUCCESS SAVE RESCHEDULE` as `S R`; `illegal`, `illegal K`, `noop` for the others. */
function move(task: Partial<TaskFacts> & { status: ScheduleStatus }, target: TaskState): string;
function move(task: undefined, target: TaskState): string;
function move(task: Partial<TaskFacts> | undefined, target: TaskState): string {
  const facts: TaskFacts = {
    status: 'INIT',
    isService: false,
    maxTaskFailures: 0,
    failureCount: 0,
    everKilling: false,
    ...task,
  };
  const { result, effects } = transition(task === undefined ? undefined : facts, target);
  const letters = {
    INCREMENT_FAILURES: 'F',
    SAVE: 'S',
    RESCHEDULE: 'R',
    MARK_LOST: 'L',
    KILL: 'K',
    DELETE: 'D',
  } as const;
  const words = {
    SUCCESS: '',
    NOOP: 'noop',
    ILLEGAL: 'illegal',
    ILLEGAL_WITH_SIDE_EFFECTS: 'illegal',
  } as const;
  return [words[result], ...effects.map((effect) => letters[effect])].filter(Boolean).join(' ');
}

/** Moves one task along `targets`, each from the status before. */
function walk(start: Partial<TaskFacts>, ...targets: TaskState[]): string[] {
  let facts = { status: 'INIT' as ScheduleStatus, ...start };
  return targets.map((target) => {
    const text = move(facts, target);
    if (/S/.test(text) && target !== 'DELETED') {
      facts = { ...facts, status: target, everKilling: facts.everKilling || target === 'KILLING' };
    }
    return text;
  });
}

const SERVICE = { isService: true };

describe('rows of the acceptance table', () => {
  test('TASK-001 a non-service runs, finishes, is deleted', () => {
    const path = ['PENDING', 'ASSIGNED', 'STARTING', 'RUNNING', 'FINISHED', 'DELETED'] as const;
    expect(walk({}, ...path)).toEqual(['S', 'S', 'S', 'S', 'S', 'D']);
  });

  test('TASK-002 a finished service and a lost task are replaced', () => {
    expect(move({ status: 'RUNNING', ...SERVICE }, 'FINISHED')).toBe('S R');
    expect(move({ status: 'RUNNING' }, 'LOST')).toBe('S R');
  });

  test('TASK-003 a service told to die is not replaced after a partition', () => {
    expect(
      walk({ status: 'RUNNING', ...SERVICE, everKilling: true }, 'KILLING', 'PARTITIONED', 'LOST'),
    ).toEqual(['S K', 'S L', 'S K']);
  });

  test.each(['FAILED', 'FINISHED', 'KILLED', 'LOST'] as const)(
    'TASK-004 after %s no other end is possible',
    (end) => {
      const first = { FAILED: 'F S', FINISHED: 'S', KILLED: 'S R', LOST: 'S R' }[end];
      expect(move({ status: 'RUNNING' }, end)).toBe(first);
      for (const other of ['FAILED', 'FINISHED', 'KILLED', 'LOST'] as const) {
        expect(move({ status: end }, other)).toBe(other === end ? 'noop' : 'illegal');
      }
    },
  );

  test('TASK-005 an unknown task reported running is killed', () => {
    expect(move(undefined, 'RUNNING')).toBe('illegal K');
  });

  test('TASK-006 ended tasks can be deleted; a PENDING task told to die is only deleted', () => {
    for (const status of ['FINISHED', 'FAILED', 'KILLED', 'LOST'] as const) {
      expect(move({ status }, 'DELETED')).toBe('D');
    }
    expect(move({ status: 'PENDING' }, 'KILLING')).toBe('D');
  });

  test.each([
    ['TASK-007', 'RESTARTING'],
    ['TASK-009', 'DRAINING'],
  ] as const)('%s %s is killed and replaced; running on is illegal', (_row, status) => {
    expect(walk({ status: 'RUNNING' }, status, 'FINISHED')).toEqual(['S K', 'S R']);
    expect(walk({ status: 'RUNNING' }, status, 'RUNNING')).toEqual(['S K', 'illegal K']);
  });

  test('TASK-008 a PENDING task can be neither restarted nor drained', () => {
    expect(move({ status: 'PENDING' }, 'RESTARTING')).toBe('illegal');
    expect(move({ status: 'PENDING' }, 'DRAINING')).toBe('illegal');
  });

  test('TASK-010 a task may finish before it was seen running', () => {
    expect(move({ status: 'ASSIGNED' }, 'FINISHED')).toBe('S');
    expect(move({ status: 'STARTING' }, 'FINISHED')).toBe('S');
  });

  test.each([
    [10, 8, 'F S R'],
    [10, 9, 'F S'],
    [-1, 1000, 'F S R'],
  ])('TASK-011 with at most %i failures and %i so far: %s', (maxTaskFailures, failureCount, s) => {
    expect(move({ status: 'RUNNING', maxTaskFailures, failureCount }, 'FAILED')).toBe(s);
  });

  test('TASK-012 a kill of a running task, and a task that starts throttled', () => {
    expect(walk({ status: 'RUNNING' }, 'KILLING', 'KILLED')).toEqual(['S K', 'S']);
    expect(walk({}, 'THROTTLED', 'PENDING')).toEqual(['S', 'S']);
  });

  test('TASK-021 a service that is restarting and partitioned is killed twice and replaced', () => {
    const start = { status: 'ASSIGNED' as const, ...SERVICE };
    // The L of the second step is the third.
    expect(walk(start, 'RESTARTING', 'PARTITIONED', 'LOST')).toEqual(['S K', 'S L', 'S R K']);
  });
});

describe('TASK-013 every state, every target, row present or absent', () => {
  const ALL: readonly TaskState[] = [...SCHEDULE_STATUSES, 'DELETED'];
  /** Rs, Rf and Ru stand for the three conditional replacements. */
  const EXPECTED: Readonly<Record<string, string>> = {
    'INIT PENDING': 'S',
    'INIT THROTTLED': 'S',
    'THROTTLED PENDING': 'S',
    'THROTTLED KILLING': 'D',
    'PENDING ASSIGNED': 'S',
    'PENDING KILLING': 'D',
    'ASSIGNED STARTING': 'S',
    'ASSIGNED RUNNING': 'S',
    'ASSIGNED FINISHED': 'S Rs',
    'ASSIGNED FAILED': 'F S Rf',
    'ASSIGNED KILLED': 'S R',
    'ASSIGNED LOST': 'S R K',
    'ASSIGNED KILLING': 'S K',
    'ASSIGNED RESTARTING': 'S K',
    'ASSIGNED DRAINING': 'S K',
    'ASSIGNED PREEMPTING': 'S K',
    'STARTING RUNNING': 'S',
    'STARTING FINISHED': 'S Rs',
    'STARTING FAILED': 'F S Rf',
    'STARTING KILLED': 'S R',
    'STARTING LOST': 'S R',
    'STARTING PARTITIONED': 'S',
    'STARTING KILLING': 'S K',
    'STARTING RESTARTING': 'S K',
    'STARTING DRAINING': 'S K',
    'STARTING PREEMPTING': 'S K',
    'RUNNING FINISHED': 'S Rs',
    'RUNNING FAILED': 'F S Rf',
    'RUNNING KILLED': 'S R',
    'RUNNING LOST': 'S R',
    'RUNNING PARTITIONED': 'S',
    'RUNNING KILLING': 'S K',
    'RUNNING RESTARTING': 'S K',
    'RUNNING DRAINING': 'S K',
    'RUNNING PREEMPTING': 'S K',
    'PREEMPTING FINISHED': 'S R',
    'PREEMPTING FAILED': 'S R',
    'PREEMPTING KILLED': 'S R',
    'PREEMPTING LOST': 'S R K',
    'PREEMPTING KILLING': 'S',
    'PREEMPTING PARTITIONED': 'S L',
    'PREEMPTING ASSIGNED': 'illegal K',
    'PREEMPTING STARTING': 'illegal K',
    'PREEMPTING RUNNING': 'illegal K',
    'RESTARTING FINISHED': 'S R',
    'RESTARTING FAILED': 'S R',
    'RESTARTING KILLED': 'S R',
    'RESTARTING LOST': 'S R K',
    'RESTARTING KILLING': 'S',
    'RESTARTING PARTITIONED': 'S L',
    'RESTARTING ASSIGNED': 'illegal K',
    'RESTARTING STARTING': 'illegal K',
    'RESTARTING RUNNING': 'illegal K',
    'DRAINING FINISHED': 'S R',
    'DRAINING FAILED': 'S R',
    'DRAINING KILLED': 'S R',
    'DRAINING LOST': 'S R K',
    'DRAINING KILLING': 'S',
    'DRAINING PARTITIONED': 'S L',
    'DRAINING ASSIGNED': 'illegal K',
    'DRAINING STARTING': 'illegal K',
    'DRAINING RUNNING': 'illegal K',
    'KILLING FINISHED': 'S',
    'KILLING FAILED': 'S',
    'KILLING KILLED': 'S',
    'KILLING LOST': 'S',
    'KILLING PARTITIONED': 'S L',
    'KILLING DELETED': 'D',
    'KILLING ASSIGNED': 'illegal K',
    'KILLING STARTING': 'illegal K',
    'KILLING RUNNING': 'illegal K',
    'PARTITIONED ASSIGNED': 'S',
    'PARTITIONED STARTING': 'S',
    'PARTITIONED RUNNING': 'S',
    'PARTITIONED FINISHED': 'S',
    'PARTITIONED FAILED': 'F S Rf',
    'PARTITIONED LOST': 'S Ru K',
    'PARTITIONED KILLING': 'S L',
    'PARTITIONED RESTARTING': 'S L',
    'PARTITIONED DRAINING': 'S L',
    'PARTITIONED PREEMPTING': 'S L',
    'FINISHED DELETED': 'D',
    'FINISHED ASSIGNED': 'illegal K',
    'FINISHED STARTING': 'illegal K',
    'FINISHED RUNNING': 'illegal K',
    'FAILED DELETED': 'D',
    'FAILED ASSIGNED': 'illegal K',
    'FAILED STARTING': 'illegal K',
    'FAILED RUNNING': 'illegal K',
    'KILLED DELETED': 'D',
    'KILLED ASSIGNED': 'illegal K',
    'KILLED STARTING': 'illegal K',
    'KILLED RUNNING': 'illegal K',
    'LOST DELETED': 'D',
    'LOST ASSIGNED': 'illegal K',
    'LOST STARTING': 'illegal K',
    'LOST RUNNING': 'illegal K',
    'absent DELETED': 'noop',
    'absent ASSIGNED': 'illegal K',
    'absent STARTING': 'illegal K',
    'absent RUNNING': 'illegal K',
  };

  /** [isService, maxTaskFailures, failureCount, whether a failure leaves another run]. */
  const KINDS: readonly (readonly [boolean, number, number, boolean])[] = [
    [false, 0, 0, false],
    [false, 1, 0, false],
    [false, 2, 0, true],
    [false, 2, 1, false],
    [false, -1, 7, true],
    [true, 0, 0, true],
    [true, 1, 5, true],
  ];
  const CASES = KINDS.flatMap((kind) => [true, false].map((killed) => [...kind, killed] as const));

  test.each(CASES)(
    'service %s, at most %i failures, %i so far (another run: %s), told to die before: %s',
    (isService, maxTaskFailures, failureCount, again, everKilling) => {
      const facts = { isService, maxTaskFailures, failureCount, everKilling };
      const wrong: string[] = [];
      for (const from of [...SCHEDULE_STATUSES, 'absent'] as const) {
        for (const target of ALL) {
          const same = from === target;
          const listed = EXPECTED[`${from} ${target}`] ?? (same ? 'noop' : 'illegal');
          const expected = listed
            .replace(/ Rs/, isService ? ' R' : '')
            .replace(/ Rf/, again ? ' R' : '')
            .replace(/ Ru/, everKilling ? '' : ' R');
          const actual =
            from === 'absent' ? move(undefined, target) : move({ status: from, ...facts }, target);
          if (actual !== expected) wrong.push(`${from} ${target}: ${actual}, not ${expected}`);
        }
      }
      expect(wrong).toEqual([]);
    },
  );
});

describe('event lists', () => {
  const event = (status: ScheduleStatus, timestampMs: number): TaskEvent => ({
    status,
    timestampMs,
  });
  const list = (...statuses: ScheduleStatus[]): TaskEvent[] =>
    statuses.reduce<TaskEvent[]>((events, s, at) => appendEvent(events, event(s, at)), []);

  test('TASK-022 four partitions leave one cycle', () => {
    const cycle = ['PARTITIONED', 'RUNNING'] as const;
    const events = list(
      ...(['PENDING', 'ASSIGNED', 'STARTING'] as const),
      ...[...cycle, ...cycle, ...cycle, 'PARTITIONED' as const],
    );
    expect(events.map((entry) => entry.status)).toEqual([
      'PENDING',
      'ASSIGNED',
      'STARTING',
      'PARTITIONED',
      'RUNNING',
      'PARTITIONED',
    ]);
    // The newest partition is the one that is kept, and time still ascends.
    expect(events.map((entry) => entry.timestampMs)).toEqual([0, 1, 2, 3, 4, 9]);
  });

  test('different statuses on both sides of a partition stay', () => {
    const events = list('STARTING', 'PARTITIONED', 'RUNNING', 'PARTITIONED');
    expect(events).toHaveLength(4);
  });

  test('only entering PARTITIONED compacts', () => {
    const events = list('RUNNING', 'PARTITIONED', 'RUNNING', 'FAILED');
    expect(events).toHaveLength(4);
  });

  test('the list given is not changed', () => {
    const events = list('RUNNING', 'PARTITIONED', 'RUNNING');
    appendEvent(events, event('PARTITIONED', 9));
    expect(events).toHaveLength(3);
  });
});
