/** From the pulse that ends a block to the committed kill: real engine, real Postgres, real time. */
import type { Engine } from '../../src/engine/engine.js';
import { migrate } from '../../src/store/migrate.js';
import { aConfig, aSettings } from '../support/builders.js';
import { untilTask, withEngine } from './engine.js';

export async function measureUnblocking(url: string, updates: number): Promise<void> {
  await migrate(url, { mode: 'auto' });
  const times: number[] = [];
  await withEngine(url, async (engine) => {
    for (let index = 0; index < updates; index++) times.push(await one(engine, index));
  });
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
  await untilTask(engine, job.name, 'RUNNING');
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
  const killed = untilTask(engine, job.name, 'KILLING');
  const began = performance.now();
  await engine.updates.pulse(started.key);
  await killed;
  return performance.now() - began;
}
