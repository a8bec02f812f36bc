/**
 * The right to lead (operations.md §2.5): taken from who gave it back or is dead, renewed every fifth of its
 * ttl, and given up by ourselves before anybody else may take it. Only this process's monotonic clock counts.
 */
import type { Log } from '../observe/log.js';
import type { Endpoint, LeaseRow, LeaseStore } from '../store/lease.js';
import type { Clock, TimerHandle, Timers } from '../time.js';

/** Another scheduler leads, and is alive. */
export class AlreadyLedError extends Error {
  override readonly name = 'AlreadyLedError';
}

export interface LeaseOptions {
  readonly store: LeaseStore;
  /** UUID of this process. */
  readonly holder: string;
  readonly ttlMs: number;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly log: Log;
  /** How long to wait for a process that beats but may be just ending, ms. */
  readonly patienceMs?: number;
  /** Called once, when this process must end: another leads, or the lease could not be renewed in time. */
  readonly onLost: () => void;
  /** After each renewal; how long it took. */
  readonly onRenewed?: (seconds: number) => void;
}

/** More often than a standby need look: a start should not wait for a predecessor that is just gone. */
const POLL_MS = 250;
const DEFAULT_PATIENCE_MS = 5_000;
const RENEW_SHARE = 0.2;
/** After a renewal that failed: often enough for several tries before the deadline. */
const RETRY_SHARE = 0.05;
/** The rest of the ttl is what two clocks may differ and a last command may take. */
const DEADLINE_SHARE = 0.7;
/** The machine slept if its uptime outran the monotonic clock by more than this (updates.md G1). */
const SLEEP_TOLERANCE_MS = 1_000;

/** A lease somebody else has, as long as it does not change. */
interface Sight {
  readonly row: LeaseRow;
  readonly sinceMono: number;
}

export class Lease {
  private epoch: number | undefined;
  /** Monotonic time from which on nothing may be done. */
  private deadline = -Infinity;
  /** When the takeover was sent. */
  private sentMono = -Infinity;
  private drift: number;
  private next: TimerHandle | undefined;
  private end: TimerHandle | undefined;
  private renewal: Promise<void> = Promise.resolve();
  private over = false;

  constructor(private readonly options: LeaseOptions) {
    this.drift = this.driftNow();
  }

  /** Whether this process may act, answer for the state of updates, or count a pulse. No SQL. */
  mayAct(): boolean {
    return this.options.clock.monoNow() < this.deadline;
  }

  /**
   * Waits for the lease: at once where it was given back or its holder's connection is gone, else until it
   * has been silent for its ttl.
   *
   * @returns the epoch to write under
   * @throws AlreadyLedError when its holder is alive; pg's errors when the server is away
   */
  async take(): Promise<number> {
    const { clock, patienceMs = DEFAULT_PATIENCE_MS } = this.options;
    const startMono = clock.monoNow();
    let sight: Sight | undefined;
    let beats = false;
    for (;;) {
      const row = await this.options.store.read();
      const now = clock.monoNow();
      if (sight !== undefined && !isSame(row, sight.row)) beats = true;
      if (sight === undefined || !isSame(row, sight.row)) sight = { row, sinceMono: now };
      const epoch = await this.tryTake(sight);
      if (epoch !== undefined) return epoch;
      if (beats && now - startMono >= patienceMs) throw alreadyLed(row);
      await new Promise<void>((resolve) => this.options.timers.set(POLL_MS, resolve));
    }
  }

  /** Clients may come. */
  async advertise(endpoint: Endpoint): Promise<void> {
    if (this.epoch !== undefined) await this.options.store.advertise(this.epoch, endpoint);
  }

  /** Gives the lease back; to be called when the last write has ended. */
  async release(): Promise<void> {
    const { epoch } = this;
    const held = epoch !== undefined && !this.over;
    this.stop();
    await this.renewal;
    try {
      if (held) await this.options.store.release(epoch);
    } finally {
      await this.options.store.close();
    }
  }

  /** Resolves when no renewal is under way: for tests on a fake clock. */
  idle(): Promise<void> {
    return this.renewal;
  }

  private async tryTake({ row, sinceMono }: Sight): Promise<number | undefined> {
    const { store, clock, holder } = this.options;
    // An earlier attempt of ours whose answer was lost.
    if (row.holder === holder && !row.released) return this.hold(row.epoch);
    const isSilent = clock.monoNow() - sinceMono >= row.ttlMs;
    // Taken first in any case: a holder without it would look dead to the next candidate.
    const isHinted = await store.tryHint();
    if (!row.released && !isSilent && !isHinted) return undefined;
    this.sentMono = clock.monoNow();
    const epoch = await store.takeOver(row);
    if (epoch !== undefined) return this.hold(epoch);
    await store.dropHint();
    return undefined;
  }

  private hold(epoch: number): number {
    const { ttlMs, log } = this.options;
    this.epoch = epoch;
    this.extend(this.sentMono);
    log.info({ epoch }, 'the lease was taken');
    this.schedule(RENEW_SHARE * ttlMs);
    return epoch;
  }

  private schedule(delayMs: number): void {
    if (this.over) return;
    this.next = this.options.timers.set(delayMs, () => {
      this.renewal = this.renew();
    });
  }

  private async renew(): Promise<void> {
    const { store, clock, ttlMs, log, onRenewed } = this.options;
    if (this.over || this.epoch === undefined) return;
    // Nobody knows what happened meanwhile: until the store has answered nothing may be done.
    if (this.hasSlept()) this.deadline = -Infinity;
    const sentMono = clock.monoNow();
    try {
      const isMine = await store.renew(this.epoch);
      if (!isMine) return this.lose('another scheduler has taken the lease');
      this.extend(sentMono);
      onRenewed?.((clock.monoNow() - sentMono) / 1_000);
      this.schedule(Math.max(0, sentMono + RENEW_SHARE * ttlMs - clock.monoNow()));
      await store.tryHint();
    } catch (error) {
      log.warn({ err: error }, 'the lease could not be renewed');
      this.next?.cancel();
      this.schedule(RETRY_SHARE * ttlMs);
    }
  }

  /** The lease holds from when its renewal was sent. One that was late does not bring it back. */
  private extend(sentMono: number): void {
    if (this.over) return;
    const { clock, timers, ttlMs } = this.options;
    this.deadline = sentMono + DEADLINE_SHARE * ttlMs;
    this.end?.cancel();
    this.end = timers.set(this.deadline - clock.monoNow(), () =>
      this.lose('the lease could not be renewed in time'),
    );
  }

  private lose(why: string): void {
    if (this.over) return;
    this.stop();
    this.options.log.error({}, why);
    this.options.onLost();
  }

  private stop(): void {
    this.over = true;
    this.deadline = -Infinity;
    this.next?.cancel();
    this.end?.cancel();
  }

  private hasSlept(): boolean {
    const drift = this.driftNow();
    const slept = drift - this.drift > SLEEP_TOLERANCE_MS;
    if (slept) this.drift = drift;
    return slept;
  }

  private driftNow(): number {
    const { clock } = this.options;
    return clock.uptimeNow() - clock.monoNow();
  }
}

function isSame(a: LeaseRow, b: LeaseRow): boolean {
  return a.epoch === b.epoch && a.beat === b.beat && a.released === b.released;
}

function alreadyLed({ address, holder }: LeaseRow): AlreadyLedError {
  const where = address === undefined ? '' : ` at ${address}`;
  return new AlreadyLedError(
    `Another aurora-shim already serves this database${where} (holder ${holder}). Stop it first, or give ` +
      'this one another --data_dir or --database_url.',
  );
}
