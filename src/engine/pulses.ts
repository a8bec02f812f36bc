/**
 * Heartbeats as they arrive: by key, by id alone, or many at once (updates.md G4). An update in the registry
 * costs no SQL and no turn in a lane; all that is missing from it costs one statement for the whole call.
 */
import type { JobUpdateKey } from '../core/model/keys.js';
import { jobKeyText, updateKeyText } from '../core/model/keys.js';
import { isRolling, isTerminalUpdate } from '../core/model/statuses.js';
import { findUpdatesById } from '../store/update-lookup.js';
import type { UpdateRecord } from '../store/updates.js';
import { findUpdate } from '../store/updates.js';
import type { ActiveUpdate } from './active-updates.js';
import type { Updater } from './updater.js';

export type PulseResult = 'OK' | 'FINISHED' | 'UNKNOWN';
/** PAUSED is an OK that also tells of somebody's pause: the word of the design document (updates.md §1.2). */
export type HeartbeatResult = PulseResult | 'PAUSED';

export class Pulses {
  constructor(private readonly updater: Updater) {}

  /**
   * @returns a promise only for a key that is not in the registry
   * @throws TransientError while this process does not lead (`Updater.requireLeading`)
   */
  pulse(key: JobUpdateKey): PulseResult | Promise<PulseResult> {
    this.updater.requireLeading();
    const entry = this.updater.registry.get(updateKeyText(key));
    return entry === undefined ? this.pulseUnknown(key) : this.beat(entry);
  }

  /**
   * The same for who knows nothing but the id, and is to hear of a pause.
   *
   * @returns a promise only for an id that is not in the registry
   * @throws TransientError while this process does not lead (`Updater.requireLeading`)
   */
  heartbeat(updateId: string): HeartbeatResult | Promise<HeartbeatResult> {
    this.updater.requireLeading();
    const entry = this.updater.registry.withId(updateId);
    return entry === undefined ? this.heartbeatUnknown(updateId) : this.heartbeatOf(entry);
  }

  /**
   * Pulses each of these updates; those in the registry in this turn, before anything is awaited.
   *
   * @returns the results in the order of the keys
   * @throws TransientError while this process does not lead (`Updater.requireLeading`)
   */
  async pulseAll(keys: readonly JobUpdateKey[]): Promise<PulseResult[]> {
    this.updater.requireLeading();
    const { registry, options } = this.updater;
    const results: (PulseResult | undefined)[] = keys.map((key) => {
      const entry = registry.get(updateKeyText(key));
      return entry && this.beat(entry);
    });
    const missing = keys.filter((_, index) => results[index] === undefined);
    if (missing.length === 0) return results as PulseResult[];
    const ids = missing.map((key) => key.id);
    const stored = await options.db.read((tx) => findUpdatesById(tx, ids));
    const late = await Promise.all(missing.map((key) => this.pulseStored(key, stored.get(key.id))));
    let next = 0;
    // As many of these as results are missing.
    return results.map((result) => result ?? (late[next++] as PulseResult));
  }

  private beat(entry: ActiveUpdate): 'OK' | 'FINISHED' {
    if (!entry.coordinated) return 'FINISHED';
    this.updater.options.heartbeats.beat(entry.keyText);
    if ((entry.denied || entry.episodeOpen) && isRolling(entry.state)) {
      void this.updater.enqueueTick(entry);
    }
    return 'OK';
  }

  private heartbeatOf(entry: ActiveUpdate): HeartbeatResult {
    const result = this.beat(entry);
    return result === 'OK' && !isRolling(entry.state) ? 'PAUSED' : result;
  }

  private async pulseUnknown(key: JobUpdateKey): Promise<PulseResult> {
    const record = await this.updater.options.db.read((tx) => findUpdate(tx, key));
    return this.pulseStored(key, record);
  }

  private async heartbeatUnknown(updateId: string): Promise<HeartbeatResult> {
    const { db } = this.updater.options;
    const record = (await db.read((tx) => findUpdatesById(tx, [updateId]))).get(updateId);
    const result = await this.pulseStored(record?.key, record);
    const entry = this.updater.registry.withId(updateId);
    return result === 'OK' && entry !== undefined && !isRolling(entry.state) ? 'PAUSED' : result;
  }

  /** @param record what is stored under the key's id, which may be the update of another job */
  private async pulseStored(
    key: JobUpdateKey | undefined,
    record: UpdateRecord | undefined,
  ): Promise<PulseResult> {
    if (key === undefined || record === undefined) return 'UNKNOWN';
    if (updateKeyText(record.key) !== updateKeyText(key)) return 'UNKNOWN';
    return isTerminalUpdate(record.state) ? 'FINISHED' : this.adoptAndPulse(key);
  }

  /**
   * Active in the store and not in the registry: somebody's SQL. In the lane, because outside it a terminal
   * commit in between would be overwritten with "active".
   */
  private adoptAndPulse(key: JobUpdateKey): Promise<PulseResult> {
    const { updater } = this;
    const { db, lanes } = updater.options;
    return lanes.enqueue(jobKeyText(key.job), async () => {
      updater.requireLeading();
      const known = updater.registry.get(updateKeyText(key));
      if (known !== undefined) return this.beat(known);
      const record = await db.read((tx) => findUpdate(tx, key));
      if (record === undefined) return 'UNKNOWN';
      const entry = updater.adopt(record);
      return entry === undefined ? 'FINISHED' : this.beat(entry);
    });
  }
}
