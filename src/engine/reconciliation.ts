/**
 * Compares tasks with what the backend has, again and again (tasks.md §6): task by task, so that one the
 * backend does not know becomes LOST (explicit), and by all that lives there, so that what should not is
 * killed (implicit). Answers come as status reports like any other; a RUNNING one of a task that must end
 * is how its kill is repeated.
 */
import type { ClusterBackend } from '../backend/backend.js';
import type { ReconciliationSettings, RunSchedule } from '../core/task/reconciliation.js';
import { batchesOf, reconciliationSchedule } from '../core/task/reconciliation.js';
import type { Log } from '../observe/log.js';
import type { Stats } from '../observe/stats.js';
import type { Database } from '../store/database.js';
import { findSubmittedTaskIds } from '../store/tasks.js';
import type { Clock, TimerHandle, Timers } from '../time.js';

export interface ReconciliationOptions {
  readonly db: Database;
  readonly backend: Pick<ClusterBackend, 'reconcile'>;
  readonly clock: Pick<Clock, 'monoNow'>;
  readonly timers: Timers;
  readonly stats: Stats;
  readonly log: Log;
  readonly settings: ReconciliationSettings;
}

export class Reconciliation {
  private readonly timers = new Set<TimerHandle>();
  private underWay = 0;
  private stopped = false;

  constructor(private readonly options: ReconciliationOptions) {
    for (const kind of ['explicit', 'implicit']) {
      options.stats.increment(`reconciliation_${kind}_runs`, 0);
    }
  }

  /** A question is being asked. */
  get busy(): boolean {
    return this.underWay > 0;
  }

  start(): void {
    const { explicit, implicit } = reconciliationSchedule(this.options.settings);
    this.repeat(explicit, () => this.reconcileExplicitly());
    this.repeat(implicit, () => this.reconcileImplicitly());
  }

  stop(): void {
    this.stopped = true;
    for (const timer of this.timers) timer.cancel();
  }

  /**
   * Asks about every task that holds a host, a batch at a time; the first one at once. What cannot be asked
   * is asked by the next run.
   */
  reconcileExplicitly(batchSize = this.options.settings.explicitBatchSize): void {
    const { db, stats, settings } = this.options;
    stats.increment('reconciliation_explicit_runs');
    this.attempt(async () => {
      const taskIds = await db.read((tx) => findSubmittedTaskIds(tx));
      batchesOf(taskIds, batchSize).forEach((batch, index) => {
        const ask = (): void => this.ask({ taskIds: batch });
        if (index === 0) ask();
        else this.set(index * settings.explicitBatchIntervalMs, ask);
      });
    });
  }

  /** Asks for everything that lives on the backend. */
  reconcileImplicitly(): void {
    this.options.stats.increment('reconciliation_implicit_runs');
    this.ask('all');
  }

  private ask(scope: { readonly taskIds: readonly string[] } | 'all'): void {
    this.attempt(async () => {
      // Whoever leads now asks for itself, and our answers would not be written.
      if (this.options.db.mayAct()) await this.options.backend.reconcile(scope);
    });
  }

  private attempt(work: () => Promise<void>): void {
    this.underWay += 1;
    work()
      .catch((error: unknown) => {
        if (this.stopped) return;
        this.options.log.warn(
          { err: error },
          'a reconciliation failed; the next one comes by itself',
        );
      })
      .finally(() => {
        this.underWay -= 1;
      });
  }

  /** Every run at its time, counted from the start, so that slow ones do not shift those after them. */
  private repeat({ firstMs, intervalMs }: RunSchedule, run: () => void): void {
    const { clock } = this.options;
    let dueMs = clock.monoNow() + firstMs;
    const wait = (): void => {
      this.set(dueMs - clock.monoNow(), () => {
        // After a suspension of the machine one run stands for all that were due.
        do dueMs += intervalMs;
        while (dueMs <= clock.monoNow());
        run();
        wait();
      });
    };
    wait();
  }

  private set(delayMs: number, fire: () => void): void {
    if (this.stopped) return;
    const timer = this.options.timers.set(delayMs, () => {
      this.timers.delete(timer);
      fire();
    });
    this.timers.add(timer);
  }
}
