/**
 * What readers are shown of updates (updates.md §1.3: G2, I1 to I5): stored state and events, seen through
 * the heartbeats of one moment.
 */
import type { UpdateStatus } from '../core/model/statuses.js';
import { isAwaitingPulse } from '../core/model/statuses.js';
import type { UpdateEvent } from '../core/model/update.js';
import type { Heartbeat } from '../core/update/gate.js';
import { gate, viewStatus } from '../core/update/gate.js';
import { MSG_GATE_TIMEOUT } from '../core/update/messages.js';
import type { ActiveUpdate } from '../engine/active-updates.js';
import type { Engine } from '../engine/engine.js';
import type { UpdateRecord } from '../store/updates.js';

/** The part of a stored update that its view is made of. */
export type ViewedRecord = Pick<UpdateRecord, 'key' | 'state' | 'pulseTimeoutMs'>;

export class PulseView {
  private readonly fresh: ReadonlySet<string>;

  /**
   * @param heartbeats the last pulse of every active update that got one in this process, by update id
   * @param freshIds those of them whose gate is open
   * @param startedAtMs wall time of the start of this process
   */
  constructor(
    private readonly heartbeats: ReadonlyMap<string, Heartbeat>,
    readonly freshIds: readonly string[],
    private readonly startedAtMs: number,
  ) {
    this.fresh = new Set(freshIds);
  }

  /** An update that is not known to be fresh is stale: it started after this view was taken. */
  status({ key, state, pulseTimeoutMs }: ViewedRecord): UpdateStatus {
    return viewStatus(state, pulseTimeoutMs > 0 && !this.fresh.has(key.id) ? 'closed' : 'open');
  }

  /**
   * The stored events, and where the view has moved on since the last of them one more that says so (I2):
   * a lapse nobody has tried to act behind, or a pulse whose tick is not committed.
   */
  events(record: ViewedRecord, stored: readonly UpdateEvent[]): readonly UpdateEvent[] {
    const status = this.status(record);
    const last = stored[stored.length - 1];
    if (last === undefined || last.status === status) return stored;
    const isLapse = isAwaitingPulse(status);
    const pulse = this.heartbeats.get(record.key.id);
    const since =
      pulse === undefined ? this.startedAtMs : pulse.wall + (isLapse ? record.pulseTimeoutMs : 0);
    return [
      ...stored,
      {
        status,
        timestampMs: Math.max(last.timestampMs, since),
        ...(isLapse ? { message: MSG_GATE_TIMEOUT } : {}),
      },
    ];
  }
}

/**
 * The heartbeats as they are now. To be taken before anything of the request is read, and used for all of
 * it (I5): what is read later can only be newer, and is shown as it looked at this moment.
 *
 * @param entries the updates the request can be about, when they are known; every active one otherwise
 * @throws TransientError while this process does not lead: every coordinated update would look stale (G10)
 */
export function viewNow(engine: Engine, entries?: Iterable<ActiveUpdate>): PulseView {
  const { heartbeats, updater, options, startedAtMs } = engine;
  updater.requireLeading();
  heartbeats.checkSleep();
  const monoNow = options.clock.monoNow();
  const seen = new Map<string, Heartbeat>();
  const freshIds: string[] = [];
  for (const { key, keyText, pulseTimeoutMs } of entries ?? updater.registry.all()) {
    const heartbeat = heartbeats.get(keyText);
    if (heartbeat === undefined) continue;
    seen.set(key.id, heartbeat);
    if (gate(pulseTimeoutMs, heartbeat, monoNow) === 'open') freshIds.push(key.id);
  }
  return new PulseView(seen, freshIds, startedAtMs);
}
