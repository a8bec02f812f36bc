/** Why groups of tasks still wait: the nearest fit of each (tasks.md §5.4). In memory. */
import { currentFit, nearerFit, type NearestFit } from '../../core/schedule/pending-reason.js';
import type { Veto } from '../../core/schedule/vetoes.js';
import type { Clock } from '../../time.js';

export class PendingReasons {
  private readonly fits = new Map<string, NearestFit>();

  constructor(private readonly clock: Clock) {}

  /** An attempt found no host; these are the vetoes of the one that came nearest. */
  note(groupKey: string, vetoes: readonly Veto[]): void {
    this.set(groupKey, nearerFit(this.fits.get(groupKey), vetoes, this.clock.monoNow()));
  }

  /** Undefined: nothing was vetoed lately. */
  of(groupKey: string): readonly Veto[] | undefined {
    const fit = currentFit(this.fits.get(groupKey), this.clock.monoNow());
    if (fit === undefined) this.fits.delete(groupKey);
    return fit?.vetoes;
  }

  /** A task of the group is PENDING no more. */
  drop(groupKey: string): void {
    this.fits.delete(groupKey);
  }

  private set(groupKey: string, fit: NearestFit | undefined): void {
    if (fit === undefined) this.fits.delete(groupKey);
    else this.fits.set(groupKey, fit);
  }
}
