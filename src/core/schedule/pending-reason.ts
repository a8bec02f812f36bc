/** Why tasks are still PENDING: the vetoes of the host that came nearest (tasks.md §5.4, rpc.md §10). */
import type { Veto } from './vetoes.js';

export function vetoText({ kind, name }: Pick<Veto, 'kind' | 'name'>): string {
  switch (kind) {
    case 'resource':
      return `Insufficient: ${name}`;
    case 'constraint':
      return `Constraint not satisfied: ${name}`;
    case 'limit':
      return `Limit not satisfied: ${name}`;
    case 'maintenance':
      return `Host ${name} for maintenance`;
    case 'dedicated':
      return 'Host is dedicated';
  }
}

/** The reason of getPendingReason: texts joined by a comma alone; empty when nothing vetoed. */
export function pendingReason(set: readonly Pick<Veto, 'kind' | 'name'>[]): string {
  return set.map(vetoText).join(',');
}

export function totalScore(set: readonly Pick<Veto, 'score'>[]): number {
  return set.reduce((total, { score }) => total + score, 0);
}

/** The best vetoes seen for tasks of one config. */
export interface NearestFit {
  readonly vetoes: readonly Veto[];
  /** When the entry was made; improving it does not make it younger. */
  readonly sinceMs: number;
}

const LIFETIME_MS = 10 * 60_000;

/** The entry as long as it may be shown. `nowMs` comes from the clock that made `sinceMs`. */
export function currentFit(fit: NearestFit | undefined, nowMs: number): NearestFit | undefined {
  return fit !== undefined && nowMs - fit.sinceMs < LIFETIME_MS ? fit : undefined;
}

/** The entry after another set of vetoes; only one with a strictly lower score takes its place. */
export function nearerFit(
  fit: NearestFit | undefined,
  set: readonly Veto[],
  nowMs: number,
): NearestFit | undefined {
  const current = currentFit(fit, nowMs);
  if (set.length === 0) return current;
  if (current === undefined) return { vetoes: set, sinceMs: nowMs };
  return totalScore(set) < totalScore(current.vetoes)
    ? { vetoes: set, sinceMs: current.sinceMs }
    : current;
}
