/**
 * Work per tick does not grow with the job or with what is done already (design D5, D6, invariant 6),
 * counted in statements: of a whole tick, of a rebuild, and of an update of thousands of instances.
 */
import type { JobKey, JobUpdateKey } from '../../src/core/model/keys.js';
import { aConfig, aJob } from '../support/builders.js';
import { World } from '../support/world.js';

const OLD = aConfig('old');
const NEW = aConfig('new');
const W = 2_000;
const LARGE = 4_000;

let world: World;

beforeEach(async () => {
  world = await World.create({ script: () => ({}) });
});

afterEach(async () => {
  await world.close();
});

/** A job whose tasks run by themselves and have done so for a minute. */
async function job(name: string, instances: number): Promise<JobKey> {
  const key = aJob(name);
  await world.engine.jobs.create(key, OLD, instances, () => undefined);
  await world.settle();
  await world.leap(60_000);
  return key;
}

interface Cost {
  /** Of all transactions together. */
  readonly total: number;
  /** Of each that had to do with the update. */
  readonly ticks: readonly number[];
}

/** What this costs in statements. */
async function costOf(action: () => Promise<unknown>): Promise<Cost> {
  await world.settle();
  const before = world.db.statements;
  const ticks: number[] = [];
  world.db.beforeCommit = (written) => {
    if (written.mentions('job_updates')) ticks.push(written.statements);
  };
  await action();
  await world.settle();
  world.db.beforeCommit = undefined;
  return { total: world.db.statements - before, ticks };
}

/** Updates the job in eight batches, with a pause and a rollback when half of it is done. */
async function update(key: JobKey, instances: number): Promise<{ forth: Cost; back: Cost }> {
  const strategy = { kind: 'batch', groupSize: instances / 8, autopause: false } as const;
  let started: JobUpdateKey | undefined;
  const forth = await costOf(async () => {
    started = await world.startUpdate(key, NEW, instances, { strategy });
    for (let n = 0; n < 4; n++) await world.advance(W);
  });
  if (started === undefined) throw new Error('not started');
  const { id } = started;
  const done = await world.sql(
    `SELECT 1 FROM job_instance_update_events
      WHERE update_id = '${id}' AND action = 'INSTANCE_UPDATED'`,
  );
  expect(done).toHaveLength(instances / 2);
  const back = await costOf(async () => {
    if (started === undefined) return;
    await world.change(started, 'pause');
    await world.change(started, 'resume');
    await world.change(started, 'rollback');
    for (let n = 0; n < 6; n++) await world.advance(W);
  });
  expect(await world.view(started)).toBe('ROLLED_BACK');
  expect(new Set(Object.values(await world.versions(key)))).toEqual(new Set(['old']));
  return { forth, back };
}

const dearest = ({ ticks }: Cost): number => Math.max(...ticks);

test('thousands of instances cost no more statements than forty: in all, for a tick, for a rebuild', async () => {
  const small = await update(await job('small', 40), 40);
  const large = await update(await job('large', LARGE), LARGE);
  expect(dearest(large.forth)).toBeLessThanOrEqual(dearest(small.forth));
  expect(dearest(large.back)).toBeLessThanOrEqual(dearest(small.back));
  // The pause, the resume and the rollback, each a transaction of its own.
  expect(large.back.ticks.slice(0, 3)).toEqual(small.back.ticks.slice(0, 3));
  // The last tick is no dearer than one in the middle.
  expect(large.forth.ticks.at(-1)).toBeLessThanOrEqual(dearest(small.forth));
  // How many reports share a transaction depends on timing, hence some slack.
  expect(large.forth.total).toBeLessThan(1.5 * small.forth.total);
  expect(large.back.total).toBeLessThan(1.5 * small.back.total);
}, 180_000);
