/** Tasks that make an instance's evaluation say what a test wants it to say. */
import type {
  InstanceResult,
  InstanceRules,
  InstanceTask,
} from '../../../src/core/update/instance-evaluator.js';
import type {
  CurrentTasks,
  Evaluation,
  Need,
  UpdaterState,
} from '../../../src/core/update/one-way-updater.js';
import { evaluate } from '../../../src/core/update/one-way-updater.js';

export type Answer = Exclude<InstanceResult, 'KILL_AND_RESERVE'>;

const W = 1000;
export const SCRIPTED_RULES: InstanceRules = {
  target: 'new',
  minWaitMs: W,
  maxFailures: 0,
  placeFits: () => false,
};

const TASKS: Record<
  Answer,
  (Pick<InstanceTask, 'status' | 'configHash'> & { ageMs?: number }) | null
> = {
  ADD: null,
  KILL: { status: 'RUNNING', configHash: 'old' },
  WAIT: { status: 'PENDING', configHash: 'new' },
  WATCH: { status: 'RUNNING', configHash: 'new' },
  SUCCEEDED: { status: 'RUNNING', configHash: 'new', ageMs: W },
  FAILED: { status: 'FAILED', configHash: 'new' },
};

/** A task whose evaluation under SCRIPTED_RULES gives `answer`. */
export function taskFor(answer: Answer): InstanceTask | null {
  const task = TASKS[answer];
  if (task === null) return null;
  const { status, configHash, ageMs = 0 } = task;
  return { taskId: 't', status, configHash, everKilling: false, newestEvent: { id: 'e', ageMs } };
}

export type Answers = Readonly<Record<number, Answer>>;

export function currentTasks(answers: Answers): CurrentTasks {
  return new Map(Object.entries(answers).map(([id, answer]) => [Number(id), taskFor(answer)]));
}

/** Evaluates with `changed` for the instances that changed and `idle` for those whose turn may come. */
export function ask(updater: UpdaterState, changed: Answers, idle: Answers): Evaluation | Need {
  const inputs = Object.entries(changed).map(([id, answer]) => ({
    instanceId: Number(id),
    task: taskFor(answer) ?? undefined,
  }));
  return evaluate(updater, () => SCRIPTED_RULES, inputs, currentTasks(idle));
}
