/**
 * The gate (updates.md G1, G2): may a coordinated update act now? One question, one place.
 * Only the monotonic clock is asked; a step of the wall clock neither opens nor closes it.
 */
import type { ExplicitUpdateStatus, UpdateStatus } from '../model/statuses.js';
import { isRolling } from '../model/statuses.js';
import { awaitingOf } from './status-table.js';

/** When the last pulse came, ms on two clocks: monotonic, which alone decides, and wall, for readers. */
export interface Heartbeat {
  readonly mono: number;
  readonly wall: number;
}

export type Verdict = 'open' | 'closed';

/** Fresh strictly inside the interval: a pulse exactly P old no longer counts. */
export function isFresh(
  heartbeat: Heartbeat | undefined,
  pulseTimeoutMs: number,
  monoNow: number,
): boolean {
  return heartbeat !== undefined && monoNow - heartbeat.mono < pulseTimeoutMs;
}

/** Open for an update that is not coordinated (`pulseTimeoutMs` 0) or has a fresh heartbeat. */
export function gate(
  pulseTimeoutMs: number,
  heartbeat: Heartbeat | undefined,
  monoNow: number,
): Verdict {
  if (pulseTimeoutMs <= 0) return 'open';
  return isFresh(heartbeat, pulseTimeoutMs, monoNow) ? 'open' : 'closed';
}

/** What a reader is shown: rolling behind a closed gate is AWAITING_PULSE, all else as stored. */
export function viewStatus(state: ExplicitUpdateStatus, verdict: Verdict): UpdateStatus {
  return isRolling(state) && verdict === 'closed' ? awaitingOf(state) : state;
}
