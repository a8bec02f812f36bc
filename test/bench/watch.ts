/** What a stretch of work costs the process it runs in: memory at its highest, and the event loop held. */
import { readFileSync, writeFileSync } from 'node:fs';
import pg from 'pg';

export interface Watched {
  /** Resident memory at its highest, above what it was at the beginning; bytes. */
  readonly peakBytes: number;
  /** Resident memory at the end, after a collection; above what it was at the beginning, bytes. */
  readonly keptBytes: number;
  /** The longest time in which the event loop turned to nothing else, ms. */
  readonly heldMs: number;
  readonly cpuMicros: number;
  /** Sent to Postgres, BEGIN and COMMIT included. */
  readonly statements: number;
}

const TICK_MS = 2;
const LINUX = process.platform === 'linux';

/** Counts what any pg client of this process sends. */
let statements = 0;

export function countStatements(): void {
  const prototype = pg.Client.prototype as { query: (...args: unknown[]) => unknown };
  const { query } = prototype;
  prototype.query = function counted(this: unknown, ...args: unknown[]): unknown {
    statements += 1;
    return query.apply(this, args);
  };
}

/**
 * Begins to watch; what it returns ends that. Memory is exact where what is garbage is collected before,
 * which takes `--expose-gc`; time where it is not, because what comes after a collection is slower.
 */
export function watch(what: 'memory' | 'time' = 'memory'): () => Watched {
  const collect = what === 'memory' ? collectGarbage : () => undefined;
  collect();
  resetPeak();
  const before = { bytes: process.memoryUsage.rss(), cpu: process.cpuUsage(), statements };
  let heldMs = 0;
  let highest = before.bytes;
  let last = { at: performance.now(), cpu: process.cpuUsage() };
  const look = (): void => {
    const at = performance.now();
    const { user, system } = process.cpuUsage(last.cpu);
    // A process that was not let run did not hold its loop: never more than the time it had.
    heldMs = Math.max(heldMs, Math.min(at - last.at - TICK_MS, (user + system) / 1_000));
    last = { at, cpu: process.cpuUsage() };
    if (!LINUX) highest = Math.max(highest, process.memoryUsage.rss());
  };
  const timer = setInterval(look, TICK_MS);
  return () => {
    look();
    clearInterval(timer);
    const { user, system } = process.cpuUsage(before.cpu);
    const peak = LINUX ? peakRss() : highest;
    collect();
    return {
      peakBytes: peak - before.bytes,
      keptBytes: process.memoryUsage.rss() - before.bytes,
      heldMs,
      cpuMicros: user + system,
      statements: statements - before.statements,
    };
  };
}

function collectGarbage(): void {
  const { gc } = globalThis as { gc?: () => void };
  gc?.();
  gc?.();
}

/** Linux keeps the highest resident size itself, and forgets it when told (proc(5), clear_refs). */
function resetPeak(): void {
  if (LINUX) writeFileSync('/proc/self/clear_refs', '5');
}

function peakRss(): number {
  const found = /^VmHWM:\s+(\d+) kB$/m.exec(readFileSync('/proc/self/status', 'utf8'));
  return Number(found?.[1] ?? NaN) * 1_024;
}
