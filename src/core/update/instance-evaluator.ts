/** What one instance of a rolling update needs next (updates.md §3.2). */
import type { TaskConfig } from '../model/config.js';
import { canonicalSet } from '../model/config.js';
import type { ScheduleStatus } from '../model/statuses.js';
import { TERMINAL_STATES, isKillable } from '../model/statuses.js';

/** The task of an instance, as far as an update cares. */
export interface InstanceTask {
  readonly taskId: string;
  readonly status: ScheduleStatus;
  readonly configHash: string;
  /** One of its events is KILLING. */
  readonly everKilling: boolean;
  /** Its newest event: which one, and how long ago in ms. */
  readonly newestEvent?: { readonly id: string; readonly ageMs: number };
}

export type InstanceResult = 'SUCCEEDED' | 'FAILED' | InstanceAction;
export type InstanceAction = 'KILL' | 'KILL_AND_RESERVE' | 'ADD' | 'WATCH' | 'WAIT';

export interface InstanceRules {
  /** Hash of the config the instance must get; undefined when it must not exist. */
  readonly target: string | undefined;
  /** W: how long a task must be RUNNING to count, ms. */
  readonly minWaitMs: number;
  readonly maxFailures: number;
  /** The old task's place fits the target (updates.md §3.2, agent reservation). */
  readonly placeFits: (existingHash: string, targetHash: string) => boolean;
}

export interface InstanceVerdict {
  readonly result: InstanceResult;
  /** Failures counted so far, this evaluation's included. */
  readonly failures: number;
}

/**
 * @param task the instance's task, or undefined when it has none
 * @param failures failures counted before
 * @throws RangeError for a task without any event
 */
export function evaluateInstance(
  rules: InstanceRules,
  task: InstanceTask | undefined,
  failures: number,
): InstanceVerdict {
  const say = (result: InstanceResult, count = failures): InstanceVerdict => ({
    result,
    failures: count,
  });
  if (task !== undefined && task.newestEvent === undefined) {
    throw new RangeError(`task ${task.taskId} has no events`);
  }
  // A task that passed KILLING and ended is gone for good: nobody will replace it but the updater.
  const actual = task?.everKilling === true && task.status !== 'KILLING' ? undefined : task;
  const { target } = rules;

  if (actual === undefined) return say(target === undefined ? 'SUCCEEDED' : 'ADD');
  if (target === undefined) return say(isKillable(actual.status) ? 'KILL' : 'WAIT');
  if (actual.configHash !== target) {
    if (!isKillable(actual.status)) return say('WAIT');
    return say(rules.placeFits(actual.configHash, target) ? 'KILL_AND_RESERVE' : 'KILL');
  }
  if (actual.status === 'RUNNING') {
    return say((actual.newestEvent?.ageMs ?? 0) >= rules.minWaitMs ? 'SUCCEEDED' : 'WATCH');
  }
  if (TERMINAL_STATES.has(actual.status)) {
    const count = failures + 1;
    return say(count > rules.maxFailures ? 'FAILED' : 'WAIT', count);
  }
  return say('WAIT');
}

/** Sum of each kind of resource a config asks for; ports count as one each. */
function resourceSums(config: TaskConfig): Map<string, number> {
  const sums = new Map<string, number>();
  for (const resource of config.resources) {
    for (const [name, amount] of Object.entries(resource)) {
      const value = typeof amount === 'number' ? amount : 1;
      sums.set(name, (sums.get(name) ?? 0) + value);
    }
  }
  return sums;
}

/** The old task's agent suits the new one: no resource grows and the constraints are the same. */
export function placeFits(existing: TaskConfig, target: TaskConfig): boolean {
  const has = resourceSums(existing);
  for (const [name, amount] of resourceSums(target)) {
    if ((has.get(name) ?? 0) < amount) return false;
  }
  return canonicalSet(existing.constraints) === canonicalSet(target.constraints);
}
