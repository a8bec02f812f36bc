/** From the pulse that ends a block to the committed kill: real engine, real Postgres, real time. */
import { uptime } from 'node:os';
import { SimulatedBackend } from '../../src/backend/simulated/simulated-backend.js';
import { SimulatedCluster } from '../../src/backend/simulated/simulated-cluster.js';
import { DEFAULT_ENGINE_SETTINGS, Engine } from '../../src/engine/engine.js';
import { silentLog } from '../../src/observe/log.js';
import { Stats } from '../../src/observe/stats.js';
import { Database } from '../../src/store/database.js';
import { migrate } from '../../src/store/migrate.js';
import { systemClock, systemTimers } from '../../src/time.js';
import { aConfig, aSettings } from '../support/builders.js';

export async function measureUnblocking(url: string, updates: number): Promise<void> {
  await migrate(url, { mode: 'auto' });
  const clock = systemClock(uptime);
  const timers = systemTimers;
  const db = new Database({ url, clock, log: silentLog, holder: 'bench' });
  await db.takeOver();
  const cluster = new SimulatedCluster({ clock, timers });
  const backend = new SimulatedBackend(cluster, { clock, timers });
  const engine = new Engine({
    ...{ db, backend, clock, timers },
    random: Math.random,
    stats: new Stats(),
    log: silentLog,
    settings: DEFAULT_ENGINE_SETTINGS,
  });
  await engine.start();
  const times: number[] = [];
  for (let index = 0; index < updates; index++) times.push(await one(engine, index));
  await engine.stop();
  await db.close();
  times.sort((a, b) => a - b);
  const at = (share: number): string =>
    (times[Math.min(times.length - 1, Math.floor(share * times.length))] ?? NaN).toFixed(2);
  console.log(
    `\nfrom the pulse that ends a block to the committed kill, ms, over ${times.length} updates one by one:`,
  );
  console.log(`p50 ${at(0.5)}  p90 ${at(0.9)}  p99 ${at(0.99)}  max ${at(1)}`);
}

async function one(engine: Engine, index: number): Promise<number> {
  const job = { role: 'bench', environment: 'test', name: `unblock${index}` };
  await engine.jobs.create(job, aConfig('old', { job }), 1, () => undefined);
  await until(engine, job.name, 'RUNNING');
  const started = await engine.updates.start({
    job,
    config: aConfig('new', { job }),
    instanceCount: 1,
    settings: aSettings({ pulseTimeoutMs: 60_000 }),
    metadata: [],
    user: 'bench',
    checkAfterDiff: () => undefined,
  });
  if (started.kind !== 'started') throw new Error(started.kind);
  const killed = until(engine, job.name, 'KILLING');
  const began = performance.now();
  await engine.updates.pulse(started.key);
  await killed;
  return performance.now() - began;
}

const waiting = new WeakMap<Engine, Map<string, () => void>>();

/** Resolves right after the commit that brings the job's task to this status. */
function until(engine: Engine, name: string, status: string): Promise<void> {
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
  const key = `${name} ${status}`;
  const found = waiters;
  return new Promise((resolve) => found.set(key, resolve));
}
