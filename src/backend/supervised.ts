/**
 * What all backends share: the delivery of their events to the core (tasks.md §11.2 rule 2).
 *
 * Events of one task (or of one host) are told one after the other; an event the sink refuses is told
 * again, with growing delays, until its promise resolves; nothing is told after `stop`. Different tasks
 * do not wait for each other.
 */
import type { Timers, TimerHandle } from '../time.js';
import type { BackendSink, HostEvent, StateChangeResult, StatusEvent } from './backend.js';

/** The part of a logger a driver needs; pino's satisfies it. */
export interface DriverLog {
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
}

export const silentLog: DriverLog = { info() {}, warn() {}, error() {} };

export interface DeliveryOptions {
  readonly timers: Timers;
  readonly log?: DriverLog;
  /** Delay before an event is told for the second time; doubles up to `maxRetryMs`. */
  readonly firstRetryMs?: number;
  readonly maxRetryMs?: number;
}

interface Item {
  readonly label: string;
  /** Resolves when the event is acknowledged; a rejection asks for a repetition. */
  readonly send: () => Promise<void>;
  readonly firstAnswer: () => void;
}

interface Lane {
  readonly items: Item[];
  failures: number;
  retry?: TimerHandle;
}

export class EventDelivery {
  readonly #lanes = new Map<string, Lane>();
  readonly #log: DriverLog;
  readonly #firstRetryMs: number;
  readonly #maxRetryMs: number;
  #waiting = 0;
  #unacknowledged = 0;
  #stopped = false;
  #idleWaiters: (() => void)[] = [];

  constructor(
    private readonly sink: BackendSink,
    private readonly options: DeliveryOptions,
  ) {
    this.#log = options.log ?? silentLog;
    this.#firstRetryMs = options.firstRetryMs ?? 200;
    this.#maxRetryMs = options.maxRetryMs ?? 30_000;
  }

  /** Events whose sink promise is open, or that stand behind such a one; without those that wait for a timer. */
  get pendingEvents(): number {
    return this.#unacknowledged - this.#waiting;
  }

  /** All events not acknowledged yet. */
  get unacknowledged(): number {
    return this.#unacknowledged;
  }

  /** Resolves as soon as `pendingEvents` is 0. */
  idle(): Promise<void> {
    if (this.pendingEvents === 0) return Promise.resolve();
    return new Promise((resolve) => this.#idleWaiters.push(resolve));
  }

  /**
   * Queues a status event. The sink is never called before this returns. Resolves (never rejects) when the
   * sink has answered for the first time, whether it took the event or not; `acknowledged` is called once,
   * when it took it.
   */
  status(event: StatusEvent, acknowledged?: (result: StateChangeResult) => void): Promise<void> {
    return this.#enqueue(`task ${event.taskId}`, `${event.taskId} ${event.state}`, async () => {
      const result = await this.sink.status(event);
      if (!this.#stopped) acknowledged?.(result);
    });
  }

  /** Queues a host event; resolves like `status`. */
  host(event: HostEvent): Promise<void> {
    const label = `host ${event.host}`;
    return this.#enqueue(label, `${label} ${event.up ? 'up' : 'down'}`, () =>
      this.sink.host(event),
    );
  }

  /** Ends the delivery: what is not acknowledged stays so. */
  stop(): void {
    this.#stopped = true;
    for (const lane of this.#lanes.values()) {
      lane.retry?.cancel();
      for (const item of lane.items) item.firstAnswer();
    }
    this.#lanes.clear();
    this.#unacknowledged = 0;
    this.#waiting = 0;
    this.#checkIdle();
  }

  #enqueue(key: string, label: string, send: () => Promise<void>): Promise<void> {
    if (this.#stopped) return Promise.resolve();
    return new Promise((firstAnswer) => {
      const item: Item = { label, send, firstAnswer };
      this.#unacknowledged++;
      const open = this.#lanes.get(key);
      if (open === undefined) {
        const lane: Lane = { items: [item], failures: 0 };
        this.#lanes.set(key, lane);
        queueMicrotask(() => void this.#drain(key, lane));
      } else {
        open.items.push(item);
        if (open.retry !== undefined) this.#waiting++;
      }
    });
  }

  async #drain(key: string, lane: Lane): Promise<void> {
    for (let item = lane.items[0]; item !== undefined && !this.#stopped; item = lane.items[0]) {
      try {
        await item.send();
      } catch (error) {
        if (!this.#stopped) this.#retryLater(key, lane, item, error);
        return;
      }
      if (this.#stopped) return;
      item.firstAnswer();
      lane.items.shift();
      lane.failures = 0;
      this.#unacknowledged--;
    }
    this.#lanes.delete(key);
    this.#checkIdle();
  }

  #retryLater(key: string, lane: Lane, item: Item, error: unknown): void {
    item.firstAnswer();
    const delayMs = Math.min(this.#firstRetryMs * 2 ** lane.failures, this.#maxRetryMs);
    lane.failures++;
    this.#log.warn(
      { err: error, event: item.label, delayMs },
      'event not taken, will be sent again',
    );
    this.#waiting += lane.items.length;
    lane.retry = this.options.timers.set(delayMs, () => {
      delete lane.retry;
      this.#waiting -= lane.items.length;
      void this.#drain(key, lane);
    });
    this.#checkIdle();
  }

  #checkIdle(): void {
    if (this.pendingEvents > 0) return;
    const waiters = this.#idleWaiters;
    this.#idleWaiters = [];
    for (const resolve of waiters) resolve();
  }
}
