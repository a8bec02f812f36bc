/** Work that comes round by itself: a round, a pause, the next round. Rounds never overlap. */
import type { Log } from '../observe/log.js';
import type { TimerHandle, Timers } from '../time.js';

export interface RoundsOptions {
  readonly timers: Timers;
  readonly log: Log;
  /** From the end of a round to the next one, and before the first. */
  readonly intervalMs: number;
  /** Should look at `stopped` between two steps. What fails is logged and left for the next round. */
  readonly round: () => Promise<void>;
  /** What the log says of a round that failed. */
  readonly failure: string;
}

export class Rounds {
  private next: TimerHandle | undefined;
  private isStopped = false;
  private running = false;

  constructor(private readonly options: RoundsOptions) {}

  /** A round is under way. */
  get busy(): boolean {
    return this.running;
  }

  get stopped(): boolean {
    return this.isStopped;
  }

  /** The first round comes after one interval. */
  start(): void {
    const { timers, intervalMs } = this.options;
    this.next = timers.set(intervalMs, () => {
      void this.run().then(() => {
        if (!this.isStopped) this.start();
      });
    });
  }

  stop(): void {
    this.isStopped = true;
    this.next?.cancel();
  }

  private async run(): Promise<void> {
    const { log, round, failure } = this.options;
    this.running = true;
    try {
      await round();
    } catch (error) {
      log.warn({ err: error }, failure);
    } finally {
      this.running = false;
    }
  }
}
