/**
 * Statuses by their IDL names, and the sets the IDL's constants define over them.
 * Names, not numbers: they are what Postgres stores and what people read in a log.
 */

export const SCHEDULE_STATUSES = [
  'INIT',
  'THROTTLED',
  'PENDING',
  'ASSIGNED',
  'STARTING',
  'RUNNING',
  'PREEMPTING',
  'RESTARTING',
  'DRAINING',
  'KILLING',
  'PARTITIONED',
  'FINISHED',
  'FAILED',
  'KILLED',
  'LOST',
] as const;
export type ScheduleStatus = (typeof SCHEDULE_STATUSES)[number];

/** The task still counts for its instance (IDL constant ACTIVE_STATES). */
export const ACTIVE_STATES: ReadonlySet<ScheduleStatus> = new Set([
  'PENDING',
  'STARTING',
  'RUNNING',
  'KILLING',
  'ASSIGNED',
  'RESTARTING',
  'PREEMPTING',
  'THROTTLED',
  'DRAINING',
  'PARTITIONED',
] as const);

/** The task holds a host (IDL constant SLAVE_ASSIGNED_STATES). */
export const SLAVE_ASSIGNED_STATES: ReadonlySet<ScheduleStatus> = new Set([
  'STARTING',
  'RUNNING',
  'KILLING',
  'ASSIGNED',
  'RESTARTING',
  'PREEMPTING',
  'DRAINING',
  'PARTITIONED',
] as const);

export const TERMINAL_STATES: ReadonlySet<ScheduleStatus> = new Set([
  'FINISHED',
  'FAILED',
  'KILLED',
  'LOST',
] as const);

/** May be told to die: active and not already KILLING. */
export function isKillable(status: ScheduleStatus): boolean {
  return ACTIVE_STATES.has(status) && status !== 'KILLING';
}

/** What a job update's row may hold: only what somebody asked for (updates.md §1.3). */
export const EXPLICIT_UPDATE_STATUSES = [
  'ROLLING_FORWARD',
  'ROLLING_BACK',
  'ROLL_FORWARD_PAUSED',
  'ROLL_BACK_PAUSED',
  'ROLLED_FORWARD',
  'ROLLED_BACK',
  'ABORTED',
  'ERROR',
  'FAILED',
] as const;
export type ExplicitUpdateStatus = (typeof EXPLICIT_UPDATE_STATUSES)[number];

/** What readers see and events record: the explicit ones and the two synthesized by the gate. */
export const UPDATE_STATUSES = [
  ...EXPLICIT_UPDATE_STATUSES,
  'ROLL_FORWARD_AWAITING_PULSE',
  'ROLL_BACK_AWAITING_PULSE',
] as const;
export type UpdateStatus = (typeof UPDATE_STATUSES)[number];

export type RollingStatus = 'ROLLING_FORWARD' | 'ROLLING_BACK';
export type AwaitingStatus = 'ROLL_FORWARD_AWAITING_PULSE' | 'ROLL_BACK_AWAITING_PULSE';

export function isRolling(status: UpdateStatus): status is RollingStatus {
  return status === 'ROLLING_FORWARD' || status === 'ROLLING_BACK';
}

export function isAwaitingPulse(status: UpdateStatus): status is AwaitingStatus {
  return status === 'ROLL_FORWARD_AWAITING_PULSE' || status === 'ROLL_BACK_AWAITING_PULSE';
}

export function isTerminalUpdate(status: UpdateStatus): boolean {
  return (
    status === 'ROLLED_FORWARD' ||
    status === 'ROLLED_BACK' ||
    status === 'ABORTED' ||
    status === 'ERROR' ||
    status === 'FAILED'
  );
}

/** IDL constant ACTIVE_JOB_UPDATE_STATES. */
export function isActiveUpdate(status: UpdateStatus): boolean {
  return !isTerminalUpdate(status);
}

export const UPDATE_ACTIONS = [
  'INSTANCE_UPDATED',
  'INSTANCE_ROLLED_BACK',
  'INSTANCE_UPDATING',
  'INSTANCE_ROLLING_BACK',
  'INSTANCE_UPDATE_FAILED',
  'INSTANCE_ROLLBACK_FAILED',
] as const;
export type UpdateAction = (typeof UPDATE_ACTIONS)[number];
