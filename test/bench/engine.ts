/** An engine on the simulated backend, real Postgres and real time, for benchmarks in this process. */
import { uptime } from 'node:os';
import { SimulatedBackend } from '../../src/backend/simulated/simulated-backend.js';
import { SimulatedCluster } from '../../src/backend/simulated/simulated-cluster.js';
import { DEFAULT_ENGINE_SETTINGS, Engine } from '../../src/engine/engine.js';
import { silentLog } from '../../src/observe/log.js';
import { Stats } from '../../src/observe/stats.js';
import { Database } from '../../src/store/database.js';
import { systemClock, systemTimers } from '../../src/time.js';

export async function withEngine(
  url: string,
  use: (engine: Engine, db: Database) => Promise<void>,
): Promise<void> {
  const clock = systemClock(uptime);
  const timers = systemTimers;
  const db = new Database({ url, clock, log: silentLog, holder: 'bench' });
  await db.takeOver();
  const cluster = new SimulatedCluster({ clock, timers });
  const engine = new Engine({
    ...{ db, clock, timers },
    backend: new SimulatedBackend(cluster, { clock, timers }),
    random: Math.random,
    stats: new Stats(),
    log: silentLog,
    settings: DEFAULT_ENGINE_SETTINGS,
  });
  await engine.start();
  try {
    await use(engine, db);
  } finally {
    await engine.stop();
    await db.close();
  }
}

const waiting = new WeakMap<Engine, Map<string, () => void>>();

/** Resolves right after the commit that brings a task of the job to this status. */
export function untilTask(engine: Engine, name: string, status: string): Promise<void> {
  let waiters = waiting.get(engine);
  if (waiters === undefined) {
    const fresh = new Map<string, () => void>();
    waiters = fresh;
    waiting.set(engine, fresh);
    engine.tasks.subscribe(({ task }) => {
      const key = `${task.job.name} ${task.status}`;
      fresh.get(key)?.();
      fresh.delete(key);
    });
  }
  const found = waiters;
  return new Promise((resolve) => found.set(`${name} ${status}`, resolve));
}
