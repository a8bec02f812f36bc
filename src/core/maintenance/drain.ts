/** Whether a task may be moved off a host that is being drained (tasks.md §10, "drain one task"). */
import type { SlaPolicy } from '../model/config.js';
import type { ScheduleStatus } from '../model/statuses.js';

/** How a host is to be drained, as a client asked for it: nothing in it is validated. */
export interface DrainRequest {
  /** For tasks without a policy of their own; undefined: those go at once (rpc.md §14). */
  readonly policy?: SlaPolicy;
  /** So long after the request no SLA counts any more. */
  readonly timeoutSecs: number;
}

/** A host that takes no tasks, with its request if it has one. */
export interface Drain {
  readonly host: string;
  readonly mode: 'DRAINING' | 'DRAINED';
  readonly request?: DrainRequest & { readonly ageMs: number };
}

/** What drainHosts asks for: nothing is spared. */
export const AT_ONCE: DrainRequest = {
  policy: { percentageSlaPolicy: { percentage: 0, durationSecs: 0 } },
  timeoutSecs: 0,
};

/** Statuses a task can be drained from; any other on a host means that it is on its way out already. */
const DRAINABLE: ReadonlySet<ScheduleStatus> = new Set([
  'ASSIGNED',
  'STARTING',
  'RUNNING',
  'PARTITIONED',
] as const);

export function isDrainable(status: ScheduleStatus): boolean {
  return DRAINABLE.has(status);
}

/** Until no SLA counts any more, ms; negative when it does not. */
export function countdownMs({ timeoutSecs, ageMs }: NonNullable<Drain['request']>): number {
  return timeoutSecs * 1000 - ageMs;
}

/** A union without a member says nothing. */
function saying(policy: SlaPolicy | undefined): SlaPolicy | undefined {
  return policy !== undefined && Object.values(policy).some((member) => member !== undefined)
    ? policy
    : undefined;
}

/** `leave`: nobody has said how; `check`: if this policy allows it. */
export type DrainStep =
  | { readonly kind: 'leave' }
  | { readonly kind: 'drain' }
  | { readonly kind: 'check'; readonly policy: SlaPolicy };

/**
 * A host that is DRAINED already must not have got the task: it goes whatever was asked for. So does every
 * task once the time is up, and at once where no time was given, as drainHosts does.
 *
 * @param own the policy of the task's config
 */
export function drainStep({ mode, request }: Drain, own: SlaPolicy | undefined): DrainStep {
  if (mode === 'DRAINED') return { kind: 'drain' };
  if (request === undefined) return { kind: 'leave' };
  if (request.timeoutSecs <= 0 || countdownMs(request) < 0) return { kind: 'drain' };
  const policy = saying(own) ?? saying(request.policy);
  return policy === undefined ? { kind: 'drain' } : { kind: 'check', policy };
}
