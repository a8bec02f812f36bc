/**
 * Why an active update is not moving (updates.md §1.1 for the two pauses, §3.3 and §3.10 for what an instance
 * is waited for). One function from facts to reasons; whoever shows them, on
 * the wire or in the log, shows these. Nothing here decides anything about an update.
 *
 * Times are wall times in ms since 1970, durations ms.
 */
import type { ExplicitUpdateStatus, ScheduleStatus } from '../model/statuses.js';
import { isRolling } from '../model/statuses.js';
import type { Heartbeat, Verdict } from './gate.js';

/** An instance the update has taken in hand and not finished. */
export interface InstanceFacts {
  readonly instanceId: number;
  /** Of the first event that took it in hand; absent if none is stored. */
  readonly takenMs?: number;
  /** Its active task, and when that got its present status. */
  readonly task?: {
    readonly taskId: string;
    readonly status: ScheduleStatus;
    readonly sinceMs: number;
  };
  /** A timer runs until the task has been RUNNING for long enough. */
  readonly isWatched: boolean;
  /** When the SLA was asked about first, if it has not passed the kill since. */
  readonly slaAskedMs?: number;
}

/** All there is to know about one active update that might keep it from moving. */
export interface BlockerFacts {
  readonly state: ExplicitUpdateStatus;
  readonly verdict: Verdict;
  /** P, ms. */
  readonly pulseTimeoutMs: number;
  /** The last pulse this process got, and how old it is. */
  readonly pulse?: { readonly at: Heartbeat; readonly ageMs: number };
  /** Since when there could have been a pulse: start of the update or of this process, the later one. */
  readonly listeningSinceMs: number;
  /** The event of the pause that holds, if one does. */
  readonly pause?: PauseBlocker;
  readonly instances: readonly InstanceFacts[];
  /** W: how long a task is watched once it runs, ms. */
  readonly minWaitMs: number;
  /** A step failed and is repeated after this pause, ms. */
  readonly retryDelayMs?: number;
}

export interface HeartbeatBlocker {
  /** When the gate closed. */
  readonly sinceMs: number;
  readonly lastPulseMs?: number;
  readonly lastPulseAgeMs?: number;
  readonly limitMs: number;
}

export interface PauseBlocker {
  readonly sinceMs: number;
  /** Absent when the update paused itself between two batches. */
  readonly user?: string;
  readonly message?: string;
}

export interface InstanceWait {
  readonly instanceId: number;
  readonly reason: 'TASK' | 'WATCH' | 'SLA_CHECK';
  readonly sinceMs: number;
  readonly untilMs?: number;
  readonly taskId?: string;
  readonly taskStatus?: ScheduleStatus;
}

export interface Blockers {
  readonly pause?: PauseBlocker;
  readonly heartbeat?: HeartbeatBlocker;
  /** The longest waiting first; empty behind a pause or a closed gate, where no instance can move anything. */
  readonly instances: readonly InstanceWait[];
  readonly failedStep?: { readonly delayMs: number };
}

export function blockersOf(facts: BlockerFacts): Blockers {
  const { state, verdict, pause, retryDelayMs } = facts;
  const holds = !isRolling(state) || verdict === 'closed';
  return {
    ...(isRolling(state) || pause === undefined ? {} : { pause }),
    ...(verdict === 'closed' ? { heartbeat: heartbeatBlocker(facts) } : {}),
    instances: holds ? [] : instanceWaits(facts),
    ...(holds || retryDelayMs === undefined ? {} : { failedStep: { delayMs: retryDelayMs } }),
  };
}

function heartbeatBlocker(facts: BlockerFacts): HeartbeatBlocker {
  const { pulse, pulseTimeoutMs: limitMs, listeningSinceMs } = facts;
  if (pulse === undefined) return { sinceMs: listeningSinceMs, limitMs };
  const lastPulseMs = pulse.at.wall;
  return { sinceMs: lastPulseMs + limitMs, lastPulseMs, lastPulseAgeMs: pulse.ageMs, limitMs };
}

function instanceWaits({ instances, minWaitMs }: BlockerFacts): InstanceWait[] {
  const waits = instances.map((instance): InstanceWait => {
    const { instanceId, task, takenMs, slaAskedMs, isWatched } = instance;
    const about = {
      instanceId,
      ...(task === undefined ? {} : { taskId: task.taskId, taskStatus: task.status }),
    };
    if (task !== undefined && slaAskedMs !== undefined && task.status !== 'KILLING') {
      return { ...about, reason: 'SLA_CHECK', sinceMs: slaAskedMs };
    }
    const sinceMs = task?.sinceMs ?? takenMs ?? 0;
    return isWatched
      ? { ...about, reason: 'WATCH', sinceMs, untilMs: sinceMs + minWaitMs }
      : { ...about, reason: 'TASK', sinceMs };
  });
  return waits.sort((a, b) => a.sinceMs - b.sinceMs || a.instanceId - b.instanceId);
}

/** All of it in one line for people, with how long each has lasted at `nowMs`. */
export function blockersText(
  { pause, heartbeat, instances, failedStep }: Blockers,
  nowMs: number,
): string {
  const parts: string[] = [];
  if (pause !== undefined) {
    const by = pause.user === undefined ? 'by itself, between two batches' : `by ${pause.user}`;
    const message = pause.user === undefined || !pause.message ? '' : `: ${pause.message}`;
    parts.push(`paused ${by} ${durationText(nowMs - pause.sinceMs)} ago${message}`);
  }
  if (heartbeat !== undefined) {
    const { lastPulseAgeMs: ageMs, limitMs, sinceMs } = heartbeat;
    const last =
      ageMs === undefined
        ? 'this scheduler has got none'
        : `the last one is ${durationText(ageMs)} old`;
    const waiting = `waiting for a heartbeat for ${durationText(nowMs - sinceMs)}`;
    parts.push(`${waiting}; ${last}, the limit is ${durationText(limitMs)}`);
  }
  if (failedStep !== undefined) {
    const { delayMs } = failedStep;
    parts.push(`a step failed in the scheduler and is repeated after ${durationText(delayMs)}`);
  }
  const [first, ...others] = instances;
  if (first !== undefined) {
    const more = others.length === 0 ? '' : `, and for ${others.length} more`;
    parts.push(`waiting for instance ${waitText(first, nowMs)}${more}`);
  }
  return parts.length === 0 ? 'nothing is in its way' : parts.join('; ');
}

function waitText(wait: InstanceWait, nowMs: number): string {
  const { instanceId, reason, sinceMs, untilMs, taskStatus } = wait;
  const lasting = `for ${durationText(nowMs - sinceMs)}`;
  switch (reason) {
    case 'SLA_CHECK':
      return `${instanceId}, which the SLA has not let go ${lasting}`;
    case 'WATCH':
      return `${instanceId}, watched for ${durationText((untilMs ?? nowMs) - nowMs)} more`;
    case 'TASK':
      return `${instanceId}, ${taskStatus ?? 'without a task'} ${lasting}`;
  }
}

/** `1.5 s`, `3 min`, `2 h 5 min`; a clock that was set back makes it 0 s, never negative. */
function durationText(ms: number): string {
  if (ms < 60_000) return `${Math.max(0, Math.round(ms / 100) / 10)} s`;
  const minutes = Math.floor(ms / 60_000);
  const hours = Math.floor(minutes / 60);
  return hours === 0 ? `${minutes} min` : `${hours} h ${minutes % 60} min`;
}

/**
 * An instance in one state for longer than this is worth a line in the log, ms. Below the five minutes after
 * which the scheduler gives up most states by itself.
 */
const LONG_WAIT_MS = 60_000;

/**
 * What tells this episode of not moving from the one before and the next: the same text as long as nothing
 * changed; undefined while all goes as it should. A watch is bounded and never an episode; a task that ends
 * or comes up is one only when it takes long.
 */
export function episodeOf(blockers: Blockers, nowMs: number): string | undefined {
  const { pause, heartbeat, instances, failedStep } = blockers;
  if (pause !== undefined) return `pause ${pause.sinceMs}`;
  if (heartbeat !== undefined) return `heartbeat ${heartbeat.lastPulseMs ?? 'none'}`;
  if (failedStep !== undefined) return 'failed step';
  const stuck = instances.find(
    ({ reason, sinceMs }) =>
      reason === 'SLA_CHECK' || (reason === 'TASK' && nowMs - sinceMs >= LONG_WAIT_MS),
  );
  return stuck && `${stuck.reason} ${stuck.instanceId} ${stuck.taskStatus} ${stuck.sinceMs}`;
}
