/** Every minute the receipts that nobody will ask about any more are deleted. */
import type { Log } from '../observe/log.js';
import type { Database } from '../store/database.js';
import { dropOldReceipts } from '../store/receipts.js';
import type { TimerHandle, Timers } from '../time.js';

const INTERVAL_MS = 60_000;

export class ReceiptSweep {
  private next: TimerHandle | undefined;
  private stopped = false;
  private running = false;

  constructor(
    private readonly options: {
      readonly db: Database;
      readonly timers: Timers;
      readonly log: Log;
    },
  ) {}

  /** A sweep is under way. */
  get busy(): boolean {
    return this.running;
  }

  /** The first sweep comes after one interval. */
  start(): void {
    this.next = this.options.timers.set(INTERVAL_MS, () => {
      void this.run().then(() => {
        if (!this.stopped) this.start();
      });
    });
  }

  stop(): void {
    this.stopped = true;
    this.next?.cancel();
  }

  /** What fails is logged and left for the next sweep. */
  private async run(): Promise<void> {
    this.running = true;
    try {
      await dropOldReceipts(this.options.db);
    } catch (error) {
      this.options.log.warn({ err: error }, 'old receipts could not be deleted');
    } finally {
      this.running = false;
    }
  }
}
