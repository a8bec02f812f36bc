/** So many a second, and no more than a second's worth at once (tasks.md §5.1, `-max_schedule_attempts_per_sec`). */

export class RateLimit {
  private readonly capacity: number;
  private permits: number;
  private atMs = -Infinity;

  /** @param perSecond above 0 */
  constructor(private readonly perSecond: number) {
    this.capacity = Math.max(1, perSecond);
    this.permits = this.capacity;
  }

  /** Takes a permit. Returns 0, or how many ms are left until there is one again: then none was taken. */
  take(nowMs: number): number {
    if (nowMs > this.atMs) {
      const earned = ((nowMs - this.atMs) * this.perSecond) / 1000;
      this.permits = Math.min(this.capacity, this.permits + earned);
      this.atMs = nowMs;
    }
    // Sums of fractions are inexact: 40 times 1/40 must be 1.
    if (this.permits > 1 - 1e-9) {
      this.permits = Math.max(0, this.permits - 1);
      return 0;
    }
    return Math.max(1, Math.ceil(((1 - this.permits) * 1000) / this.perSecond - 1e-6));
  }
}
