/**
 * What the SLA figures measure (tasks.md §9.1): uptimes, platform uptime and waits of service tasks, from
 * their events alone. Which jobs and sizes have figures is in `metrics-groups.ts`.
 */
import type { ScheduleStatus } from '../model/statuses.js';

/** Wall time, ms; the end is not part of it. */
export interface TimeFrame {
  readonly startMs: number;
  readonly endMs: number;
}

export interface SlaEvent {
  /** Tells the older one of two events of the same millisecond. */
  readonly id: number;
  readonly status: ScheduleStatus;
  readonly timestampMs: number;
}

/**
 * The value below which such a part of all values lies, interpolated between the two nearest.
 *
 * @param ascending sorted
 * @param fraction 0 to 1
 * @returns 0 of nothing
 */
export function quantile(ascending: ArrayLike<number>, fraction: number): number {
  const rank = fraction * (ascending.length - 1);
  const below = ascending[Math.floor(rank)] ?? 0;
  const above = ascending[Math.ceil(rank)] ?? below;
  return below + (above - below) * (rank - Math.floor(rank));
}

/** Sorts a copy; typed arrays sort by number, and without calling back. */
export function ascending(values: readonly number[]): Float64Array {
  return Float64Array.from(values).sort();
}

/** How long a task has been in its present status at the end of the frame, ms. */
export function timeSinceLastEvent(events: readonly SlaEvent[], { endMs }: TimeFrame): number {
  // An event may be younger than the frame, which was fixed before the events were read.
  return Math.max(0, endMs - (events.at(-1)?.timestampMs ?? endMs));
}

/**
 * How long a task waited from its latest PENDING until it first came to `status` inside the frame, ms;
 * undefined when it did not.
 *
 * @param events of one task, oldest first
 * @throws Error when it was never PENDING before
 */
export function waitFor(
  status: ScheduleStatus,
  events: readonly SlaEvent[],
  { startMs, endMs }: TimeFrame,
): number | undefined {
  let pendingMs: number | undefined;
  for (const event of events) {
    const { timestampMs } = event;
    if (event.status === 'PENDING') {
      pendingMs = timestampMs;
    } else if (event.status === status && timestampMs >= startMs && timestampMs < endMs) {
      if (pendingMs === undefined) throw new Error(`it was ${status} without having been PENDING`);
      return timestampMs - pendingMs;
    }
  }
  return undefined;
}

/**
 * How an instance stands with the platform: UP runs, DOWN should but does not through no fault of its
 * owner, REMOVED is not meant to run.
 */
type Standing = 'UP' | 'DOWN' | 'REMOVED';

/** What a status makes of an instance, whatever it was before. */
const DECISIVE: Readonly<Partial<Record<ScheduleStatus, Standing>>> = {
  LOST: 'DOWN',
  DRAINING: 'DOWN',
  PREEMPTING: 'DOWN',
  THROTTLED: 'REMOVED',
  FINISHED: 'REMOVED',
  RESTARTING: 'REMOVED',
  FAILED: 'REMOVED',
  KILLING: 'REMOVED',
  RUNNING: 'UP',
  PARTITIONED: 'UP',
};

/** Events before the last one of these, of its task or a younger one, do not matter to the platform uptime. */
export const DECISIVE_STATUSES = Object.keys(DECISIVE) as readonly ScheduleStatus[];

function standingAfter(before: Standing, status: ScheduleStatus): Standing {
  switch (status) {
    case 'PENDING':
    case 'ASSIGNED':
    case 'STARTING':
      return before === 'DOWN' ? 'DOWN' : 'REMOVED';
    case 'KILLED':
      // Nobody had asked for it.
      return before === 'UP' ? 'DOWN' : before;
    default:
      return DECISIVE[status] ?? before;
  }
}

/** Of an instance or of many, ms; what is left of the frame was REMOVED. */
export interface PlatformTime {
  readonly upMs: number;
  readonly downMs: number;
}

/**
 * How long an instance was UP and DOWN within the frame.
 *
 * @param events of all its generations, in any order
 */
export function platformTime(events: readonly SlaEvent[], frame: TimeFrame): PlatformTime {
  const spent = { UP: 0, DOWN: 0, REMOVED: 0 };
  const clamp = (ms: number): number => Math.min(Math.max(ms, frame.startMs), frame.endMs);
  let standing: Standing = 'REMOVED';
  let sinceMs = frame.startMs;
  const pass = (untilMs: number): void => {
    spent[standing] += untilMs - sinceMs;
    sinceMs = untilMs;
  };
  for (const { status, timestampMs } of inOrder(events)) {
    pass(clamp(timestampMs));
    standing = standingAfter(standing, status);
  }
  pass(frame.endMs);
  return { upMs: spent.UP, downMs: spent.DOWN };
}

function inOrder(events: readonly SlaEvent[]): SlaEvent[] {
  return [...events].sort((a, b) => a.timestampMs - b.timestampMs || a.id - b.id);
}

/** Of the time instances should have been up, the part they were; 100 when there is none. */
export function uptimePercent({ upMs, downMs }: PlatformTime): number {
  const total = upMs + downMs;
  return total === 0 ? 100 : (100 * upMs) / total;
}
