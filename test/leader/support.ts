/** Leases on a fake clock each, with a real Postgres in common. */
import { randomUUID } from 'node:crypto';
import { Lease } from '../../src/leader/lease.js';
import { silentLog } from '../../src/observe/log.js';
import { LeaseStore } from '../../src/store/lease.js';
import { FakeTime } from '../support/fake-time.js';

export const TTL = 10_000;
/** How often a candidate looks. */
const POLL = 250;

/** A process as far as its lease goes. */
export class Candidate {
  readonly holder = randomUUID();
  readonly lease: Lease;
  readonly store: LeaseStore;
  /** How often it was told to end. */
  lost = 0;
  /** What `take` came to: an epoch, or an error's name; undefined while it waits. */
  outcome: number | string | undefined;
  private underWay = 0;

  constructor(
    url: string,
    ttlMs = TTL,
    readonly time = new FakeTime(),
  ) {
    this.store = this.counted(new LeaseStore({ url, holder: this.holder, ttlMs }));
    this.lease = new Lease({
      ...{ store: this.store, holder: this.holder, ttlMs },
      ...{ clock: this.time, timers: this.time, log: silentLog },
      onLost: () => (this.lost += 1),
    });
  }

  /** Begins to take the lease; settled when it returns, which need not mean taken. */
  async begin(): Promise<this> {
    this.lease.take().then(
      (epoch) => (this.outcome = epoch),
      (error: unknown) => (this.outcome = (error as Error).name),
    );
    await this.settle();
    return this;
  }

  /** This process's clock goes on by so much, poll by poll. */
  async advance(ms: number): Promise<void> {
    for (let left = ms; left > 0; left -= POLL) {
      this.time.tick(Math.min(POLL, left));
      this.time.fireDue();
      await this.settle();
    }
  }

  /** Until no statement is under way, and nothing follows from the last one. */
  async settle(): Promise<void> {
    for (let quiet = 0; quiet < 5; quiet = this.underWay === 0 ? quiet + 1 : 0) {
      await new Promise((resolve) => setImmediate(resolve));
    }
  }

  /** The connection is closed, and the row stays as it is: what a crash leaves. */
  async crash(): Promise<void> {
    await this.store.close();
  }

  private counted(store: LeaseStore): LeaseStore {
    return new Proxy(store, {
      get: (target, name) => {
        const value: unknown = Reflect.get(target, name);
        if (typeof value !== 'function') return value;
        const method = value.bind(target) as (...args: unknown[]) => Promise<unknown>;
        return (...args: unknown[]): Promise<unknown> => {
          this.underWay += 1;
          return method(...args).finally(() => (this.underWay -= 1));
        };
      },
    });
  }
}
