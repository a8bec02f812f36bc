/**
 * The registry of active updates (updates.md §1.3): what the engine and a pulse need to know of each
 * without asking Postgres. Loaded at start, changed only by what was committed.
 */
import type { Metadata, SlaPolicy } from '../core/model/config.js';
import type { JobKey, JobUpdateKey } from '../core/model/keys.js';
import { jobKeyText, updateKeyText } from '../core/model/keys.js';
import type { ExplicitUpdateStatus, RollingStatus, UpdateStatus } from '../core/model/statuses.js';
import { isAwaitingPulse, isTerminalUpdate } from '../core/model/statuses.js';
import type { UpdaterState } from '../core/update/one-way-updater.js';
import type { UpdatePlan } from '../core/update/plan.js';
import type { ActionSet } from '../core/update/tick.js';
import type { UpdateRecord } from '../store/updates.js';
import type { TimerHandle } from '../time.js';

/** An updater with what is stored about its instances; kept in step with Postgres, or thrown away. */
export interface Stepper {
  readonly updater: UpdaterState;
  readonly actions: Map<number, ActionSet>;
  readonly released: Set<number>;
}

/**
 * A kill that waits for the SLA (updates.md §3.10). One for each instance and task of an update; stopped
 * and forgotten with the updater that asked for it.
 */
export interface SlaChain {
  readonly instanceId: number;
  readonly taskId: string;
  readonly policy: SlaPolicy;
  /** The kill is to keep the task's agent for the instance (updates.md §3.11). */
  readonly reserve: boolean;
  /** What the update was doing when it asked. */
  readonly state: RollingStatus;
  /** The wait before the attempt that is next or under way, ms; 0 before the first. */
  delayMs: number;
  timer: TimerHandle | undefined;
}

/** Something that may move an update on (updates.md §3.1). */
export type UpdateInput =
  | {
      readonly kind: 'task';
      readonly taskId: string;
      readonly instanceId: number;
      readonly status: string;
    }
  | { readonly kind: 'deleted'; readonly instanceId: number }
  /** The watch of an instance is over; `eventId` is the task event it was set for. */
  | { readonly kind: 'timer'; readonly instanceId: number; readonly eventId: string }
  | SlaInput;

/** An attempt to kill a task that waits for the SLA, or what a coordinator answered to one. */
export interface SlaInput {
  readonly kind: 'sla';
  readonly instanceId: number;
  readonly chain: SlaChain;
  /** The coordinator's answer; an attempt has none. */
  readonly isGranted?: boolean;
}

export class ActiveUpdate {
  readonly keyText: string;
  readonly jobText: string;
  state: ExplicitUpdateStatus;
  revision: number;
  lastEventStatus: UpdateStatus;
  /** Times of new events are never before this. */
  lastModifiedMs: number;
  /** A closed verdict refused something since the last open one (G7). */
  denied = false;
  plan: UpdatePlan | undefined;
  /** Undefined: to be rebuilt from storage before the next evaluation. */
  stepper: Stepper | undefined;
  /** Inputs that wait for the tick that is queued. */
  inputs: UpdateInput[] = [];
  tickQueued = false;
  readonly watches = new Map<number, TimerHandle>();
  /** By instance. */
  readonly slaChains = new Map<number, SlaChain>();
  /** `action instance` of the notes of SLA checks that are stored; undefined until somebody asks. */
  slaNoted: Set<string> | undefined;
  retry: { handle: TimerHandle; delayMs: number } | undefined;
  nextRetryMs = 0;

  constructor(record: UpdateRecord) {
    this.key = record.key;
    this.user = record.user;
    this.metadata = record.metadata;
    this.createdMs = record.createdMs;
    this.pulseTimeoutMs = record.pulseTimeoutMs;
    this.keyText = updateKeyText(record.key);
    this.jobText = jobKeyText(record.key.job);
    this.state = record.state;
    this.revision = record.revision;
    this.lastEventStatus = record.lastEventStatus;
    this.lastModifiedMs = record.lastModifiedMs;
  }

  readonly key: JobUpdateKey;
  readonly pulseTimeoutMs: number;
  /** Who started it, with what beside it, and when: for those who ask why it stands still. */
  readonly user: string;
  readonly metadata: readonly Metadata[];
  readonly createdMs: number;

  get coordinated(): boolean {
    return this.pulseTimeoutMs > 0;
  }

  /** The last stored event says that the update is blocked (G6). */
  get episodeOpen(): boolean {
    return isAwaitingPulse(this.lastEventStatus);
  }

  /** Forgets everything that can be built again, and stops what would come back. */
  discardStepper(): void {
    this.stepper = undefined;
    for (const watch of this.watches.values()) watch.cancel();
    this.watches.clear();
    for (const chain of this.slaChains.values()) chain.timer?.cancel();
    this.slaChains.clear();
  }

  cancelRetry(): void {
    this.retry?.handle.cancel();
    this.retry = undefined;
  }
}

export class ActiveUpdates {
  private readonly byKey = new Map<string, ActiveUpdate>();
  /** An id is enough to tell an update: it is a random UUID, and the primary key of its table. */
  private readonly byId = new Map<string, ActiveUpdate>();
  private readonly byJob = new Map<string, ActiveUpdate>();
  /** False until the registry was read from Postgres: a pulse must not be answered before. */
  loaded = false;

  get(updateKey: string): ActiveUpdate | undefined {
    return this.byKey.get(updateKey);
  }

  withId(updateId: string): ActiveUpdate | undefined {
    return this.byId.get(updateId);
  }

  ofJob(job: JobKey | string): ActiveUpdate | undefined {
    return this.byJob.get(typeof job === 'string' ? job : jobKeyText(job));
  }

  all(): IterableIterator<ActiveUpdate> {
    return this.byKey.values();
  }

  get size(): number {
    return this.byKey.size;
  }

  /** Adds or replaces; terminal records are not kept. */
  put(record: UpdateRecord): ActiveUpdate | undefined {
    const previous = this.byKey.get(updateKeyText(record.key));
    if (previous !== undefined) this.remove(previous);
    if (isTerminalUpdate(record.state)) return undefined;
    const entry = new ActiveUpdate(record);
    this.add(entry);
    return entry;
  }

  add(entry: ActiveUpdate): void {
    this.byKey.set(entry.keyText, entry);
    this.byId.set(entry.key.id, entry);
    this.byJob.set(entry.jobText, entry);
  }

  remove(entry: ActiveUpdate): void {
    entry.discardStepper();
    entry.cancelRetry();
    if (this.byKey.get(entry.keyText) === entry) this.byKey.delete(entry.keyText);
    if (this.byId.get(entry.key.id) === entry) this.byId.delete(entry.key.id);
    if (this.byJob.get(entry.jobText) === entry) this.byJob.delete(entry.jobText);
  }
}
