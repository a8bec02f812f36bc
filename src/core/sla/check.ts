/**
 * May these tasks be killed without breaking the SLA of their job (updates.md §3.10, tasks.md §9.2)?
 * Facts come in, an answer goes out; coordinators, who answer for themselves, are in `coordinator.ts`.
 */
import type { SlaPolicy } from '../model/config.js';
import type { ScheduleStatus } from '../model/statuses.js';
import { SLAVE_ASSIGNED_STATES } from '../model/statuses.js';

export interface SlaCheckSettings {
  /** Jobs with fewer active tasks have no SLA: `-min_required_instances_for_sla_check`. */
  readonly minRequiredInstances: number;
  /** Spare tasks outside the production tiers too: `-sla_aware_kill_non_prod`. */
  readonly awareKillNonProd: boolean;
}

/** The job as it is now. */
export interface SlaFacts {
  /** Its active tasks. */
  readonly active: number;
  /** Its RUNNING tasks: task id → ms since it began to run. */
  readonly running: ReadonlyMap<string, number>;
}

/** A task to be killed. */
export interface SlaCandidate {
  readonly taskId: string;
  readonly status: ScheduleStatus;
  /** Of its own config, not of the one that is to replace it. */
  readonly production: boolean;
  readonly policy: SlaPolicy;
}

export type SlaAnswer = 'pass' | 'wait' | 'ask-coordinator';

/** Tasks RUNNING for longer than `durationSecs`, the one to be killed left out. */
function othersUp({ running }: SlaFacts, taskId: string, durationSecs: number): number {
  let others = 0;
  for (const [id, ageMs] of running) {
    if (id !== taskId && ageMs > durationSecs * 1000) others += 1;
  }
  return others;
}

/** A policy that would forbid every kill counts as one that permits a single task to be away. */
export function meetsCount(others: number, count: number, active: number): boolean {
  return others >= (active - count < 1 ? active - 1 : count);
}

/** The same in percent. The order of the operations is the reference's: it decides about equality. */
export function meetsPercentage(others: number, percentage: number, active: number): boolean {
  const mayBeAway = Math.floor((1 - percentage / 100) * active);
  const required = mayBeAway < 1 ? ((active - 1) / active) * 100 : percentage;
  return (others / active) * 100 >= required;
}

/** One candidate against the job as it is. */
export function checkSla(
  candidate: SlaCandidate,
  facts: SlaFacts,
  settings: SlaCheckSettings,
): SlaAnswer {
  const { taskId, status, production, policy } = candidate;
  // A task that nothing runs for yet is missed by nobody.
  if (!SLAVE_ASSIGNED_STATES.has(status)) return 'pass';
  const { countSlaPolicy: count, percentageSlaPolicy: percentage } = policy;
  if (policy.coordinatorSlaPolicy !== undefined) return 'ask-coordinator';
  if (!production && !settings.awareKillNonProd) return 'pass';
  const { active } = facts;
  if (active < settings.minRequiredInstances) return 'pass';
  if (count !== undefined) {
    const others = othersUp(facts, taskId, count.durationSecs);
    return meetsCount(others, count.count, active) ? 'pass' : 'wait';
  }
  if (percentage !== undefined) {
    const others = othersUp(facts, taskId, percentage.durationSecs);
    return meetsPercentage(others, percentage.percentage, active) ? 'pass' : 'wait';
  }
  return 'wait';
}

/**
 * Several candidates of one job in their order: each one that passes is away when the next is looked at,
 * so that together they keep what each of them promised. Answers by task id.
 */
export function checkTogether(
  candidates: readonly SlaCandidate[],
  facts: SlaFacts,
  settings: SlaCheckSettings,
): Map<string, SlaAnswer> {
  const running = new Map(facts.running);
  const answers = new Map<string, SlaAnswer>();
  for (const candidate of candidates) {
    const answer = checkSla(candidate, { active: facts.active, running }, settings);
    if (answer === 'pass') running.delete(candidate.taskId);
    answers.set(candidate.taskId, answer);
  }
  return answers;
}
