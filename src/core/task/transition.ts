/**
 * The task state machine (tasks.md §2): which status may follow which, and what has to happen then.
 * The table is data; conditions that depend on the task are three named steps of it.
 */
import type { ScheduleStatus } from '../model/statuses.js';
import type { TaskEvent } from '../model/task.js';

/** `DELETED` is no status a client ever sees: the row is absent. */
export type TaskState = ScheduleStatus | 'DELETED';

/**
 * In the order in which they are applied; the row is read again before each (tasks.md §2):
 * failureCount + 1; save the status and append an event; add the next generation; move this same task on
 * to LOST; tell the backend to kill; remove the row.
 */
export const EFFECTS = [
  'INCREMENT_FAILURES',
  'SAVE',
  'RESCHEDULE',
  'MARK_LOST',
  'KILL',
  'DELETE',
] as const;
export type Effect = (typeof EFFECTS)[number];

/** ILLEGAL_WITH_SIDE_EFFECTS: the change is refused, yet the backend must kill what it reported. */
export type TransitionResult = 'SUCCESS' | 'NOOP' | 'ILLEGAL' | 'ILLEGAL_WITH_SIDE_EFFECTS';

/** What the state machine has to know of a task. */
export interface TaskFacts {
  readonly status: ScheduleStatus;
  readonly isService: boolean;
  /** Runs that may end FAILED; −1 means any number. Ignored for services. */
  readonly maxTaskFailures: number;
  /** Runs of this chain of generations that ended FAILED, before this change. */
  readonly failureCount: number;
  /** Some event of this task has the status KILLING. */
  readonly everKilling: boolean;
}

export interface Transition {
  readonly result: TransitionResult;
  /** Ordered as in EFFECTS; empty unless the result is SUCCESS or ILLEGAL_WITH_SIDE_EFFECTS. */
  readonly effects: readonly Effect[];
}

type Step =
  | Effect
  | 'RESCHEDULE_IF_SERVICE'
  | 'RESCHEDULE_IF_FAILURES_LEFT'
  /** Somebody asked for this task's death before the host went away. */
  | 'RESCHEDULE_UNLESS_EVER_KILLING';

type Row = Readonly<Partial<Record<TaskState, readonly Step[]>>>;

const SAVE_ONLY = ['SAVE'] as const;
const SAVE_AND_KILL = ['SAVE', 'KILL'] as const;
const SAVE_AND_RESCHEDULE = ['SAVE', 'RESCHEDULE'] as const;
const SAVE_AND_MARK_LOST = ['SAVE', 'MARK_LOST'] as const;
const DELETE_ONLY = ['DELETE'] as const;

const TOLD_TO_END = {
  KILLING: SAVE_AND_KILL,
  RESTARTING: SAVE_AND_KILL,
  DRAINING: SAVE_AND_KILL,
  PREEMPTING: SAVE_AND_KILL,
} as const;

const ENDED_BY_ITSELF = {
  FINISHED: ['SAVE', 'RESCHEDULE_IF_SERVICE'],
  FAILED: ['INCREMENT_FAILURES', 'SAVE', 'RESCHEDULE_IF_FAILURES_LEFT'],
  KILLED: SAVE_AND_RESCHEDULE,
  LOST: SAVE_AND_RESCHEDULE,
} as const;

/** PREEMPTING, RESTARTING, DRAINING: the kill is under way, a replacement follows whatever the end is. */
const ENDING_WITH_REPLACEMENT: Row = {
  FINISHED: SAVE_AND_RESCHEDULE,
  FAILED: SAVE_AND_RESCHEDULE,
  KILLED: SAVE_AND_RESCHEDULE,
  LOST: ['SAVE', 'RESCHEDULE', 'KILL'],
  KILLING: SAVE_ONLY,
  PARTITIONED: SAVE_AND_MARK_LOST,
};

const TERMINAL: Row = { DELETED: DELETE_ONLY };

/** Every legal change and its steps; what is not here is illegal. */
const LEGAL: Readonly<Record<TaskState, Row>> = {
  INIT: { PENDING: SAVE_ONLY, THROTTLED: SAVE_ONLY },
  THROTTLED: { PENDING: SAVE_ONLY, KILLING: DELETE_ONLY },
  PENDING: { ASSIGNED: SAVE_ONLY, KILLING: DELETE_ONLY },
  ASSIGNED: {
    STARTING: SAVE_ONLY,
    RUNNING: SAVE_ONLY,
    ...ENDED_BY_ITSELF,
    // The launch may still be on its way to the host.
    LOST: ['SAVE', 'RESCHEDULE', 'KILL'],
    ...TOLD_TO_END,
  },
  STARTING: {
    RUNNING: SAVE_ONLY,
    ...ENDED_BY_ITSELF,
    PARTITIONED: SAVE_ONLY,
    ...TOLD_TO_END,
  },
  RUNNING: { ...ENDED_BY_ITSELF, PARTITIONED: SAVE_ONLY, ...TOLD_TO_END },
  PREEMPTING: ENDING_WITH_REPLACEMENT,
  RESTARTING: ENDING_WITH_REPLACEMENT,
  DRAINING: ENDING_WITH_REPLACEMENT,
  KILLING: {
    FINISHED: SAVE_ONLY,
    FAILED: SAVE_ONLY,
    KILLED: SAVE_ONLY,
    LOST: SAVE_ONLY,
    PARTITIONED: SAVE_AND_MARK_LOST,
    DELETED: DELETE_ONLY,
  },
  PARTITIONED: {
    ASSIGNED: SAVE_ONLY,
    STARTING: SAVE_ONLY,
    RUNNING: SAVE_ONLY,
    // No replacement, even for a service (tasks.md §12, copied as it is).
    FINISHED: SAVE_ONLY,
    FAILED: ENDED_BY_ITSELF.FAILED,
    LOST: ['SAVE', 'RESCHEDULE_UNLESS_EVER_KILLING', 'KILL'],
    KILLING: SAVE_AND_MARK_LOST,
    RESTARTING: SAVE_AND_MARK_LOST,
    DRAINING: SAVE_AND_MARK_LOST,
    PREEMPTING: SAVE_AND_MARK_LOST,
  },
  FINISHED: TERMINAL,
  FAILED: TERMINAL,
  KILLED: TERMINAL,
  LOST: TERMINAL,
  DELETED: {},
};

/** States in which a workload reported alive must not be alive: the report is answered with a kill. */
const MUST_NOT_LIVE: ReadonlySet<TaskState> = new Set([
  'PREEMPTING',
  'RESTARTING',
  'DRAINING',
  'KILLING',
  'FINISHED',
  'FAILED',
  'KILLED',
  'LOST',
  'DELETED',
] as const);

const ALIVE: ReadonlySet<TaskState> = new Set(['ASSIGNED', 'STARTING', 'RUNNING'] as const);

function effectOf(step: Step, task: TaskFacts): Effect | undefined {
  switch (step) {
    case 'RESCHEDULE_IF_SERVICE':
      return task.isService ? 'RESCHEDULE' : undefined;
    case 'RESCHEDULE_IF_FAILURES_LEFT':
      return task.isService ||
        task.maxTaskFailures === -1 ||
        task.failureCount < task.maxTaskFailures - 1
        ? 'RESCHEDULE'
        : undefined;
    case 'RESCHEDULE_UNLESS_EVER_KILLING':
      return task.everKilling ? undefined : 'RESCHEDULE';
    default:
      return step;
  }
}

/**
 * What moving `task` (undefined: no such row) to `target` means. Never throws: what the table does not
 * list is ILLEGAL. An expected state (INVALID_CAS_STATE) is the caller's to compare.
 */
export function transition(task: TaskFacts | undefined, target: TaskState): Transition {
  const from: TaskState = task?.status ?? 'DELETED';
  if (from === target) return { result: 'NOOP', effects: [] };
  const steps = LEGAL[from][target];
  if (steps !== undefined && task !== undefined) {
    const effects = steps
      .map((step) => effectOf(step, task))
      .filter((effect) => effect !== undefined);
    return { result: 'SUCCESS', effects };
  }
  return MUST_NOT_LIVE.has(from) && ALIVE.has(target)
    ? { result: 'ILLEGAL_WITH_SIDE_EFFECTS', effects: ['KILL'] }
    : { result: 'ILLEGAL', effects: [] };
}

/**
 * The event list after SAVE. A task that goes to and fro between one status and PARTITIONED keeps only
 * the oldest entry of that status and the newest partition, so the list stays short (tasks.md §2).
 */
export function appendEvent(events: readonly TaskEvent[], event: TaskEvent): TaskEvent[] {
  const [third, second, last] = events.slice(-3);
  const repeats =
    event.status === 'PARTITIONED' &&
    second?.status === 'PARTITIONED' &&
    last !== undefined &&
    third?.status === last.status;
  return [...(repeats ? events.slice(0, -2) : events), event];
}
