/**
 * One lane for each job: whatever changes the job or its update takes turns there, first come, first
 * served (updates.md §2.8). An item that finds its lane empty starts in the same event-loop turn (G5).
 */
export class JobLanes {
  private readonly lanes = new Map<string, Lane>();
  private waiters: (() => void)[] = [];

  /** Runs `item` when its turn comes; settles as it does. A failing item does not stop the lane. */
  enqueue<T>(job: string, item: () => Promise<T>): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      const run = async (): Promise<void> => {
        try {
          resolve(await item());
        } catch (error) {
          reject(error as Error);
        }
      };
      const lane = this.lanes.get(job);
      if (lane !== undefined) {
        lane.push(run);
        return;
      }
      const fresh: Lane = [];
      this.lanes.set(job, fresh);
      this.drive(job, fresh, run);
    });
  }

  /** Lanes with work in them. */
  get busy(): number {
    return this.lanes.size;
  }

  /** Resolves when no lane has anything to do. */
  idle(): Promise<void> {
    if (this.lanes.size === 0) return Promise.resolve();
    return new Promise((resolve) => this.waiters.push(resolve));
  }

  private drive(job: string, lane: Lane, run: () => Promise<void>): void {
    void run().then(() => {
      const next = lane.shift();
      if (next !== undefined) {
        this.drive(job, lane, next);
        return;
      }
      this.lanes.delete(job);
      if (this.lanes.size === 0) {
        const waiters = this.waiters;
        this.waiters = [];
        for (const wake of waiters) wake();
      }
    });
  }
}

type Lane = (() => Promise<void>)[];
