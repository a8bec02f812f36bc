/**
 * Rolling forward without heartbeats (updates.md §5.1): what is replaced, in which order, and when an
 * update is refused or over before it began. Fixture of that section: queue(1), W 2000 ms, limits 0.
 */
import { RefusedError } from '../../src/core/errors.js';
import { aConfig, aJob } from '../support/builders.js';
import { World } from '../support/world.js';

const JOB = aJob();
const OLD = aConfig('old');
const NEW = aConfig('new');
const W = 2_000;

let world: World;

beforeEach(async () => {
  world = await World.create();
});

afterEach(async () => {
  await world.close();
});

/** The instance's old task ends, its new one runs for W. */
async function replaceAndWatch(instanceId: number): Promise<void> {
  await world.replace(JOB, instanceId);
  await world.advance(W);
}

test('UPD-001 testSuccessfulUpdate: an instance is created, another replaced, a pause outlasts failures', async () => {
  await world.runningInstances(JOB, NEW, [0]);
  await world.runningInstances(JOB, OLD, [2]);
  const key = await world.startUpdate(JOB, NEW, 3);
  expect(await world.instanceEvents(key)).toEqual({ 1: ['upd'] });
  expect(await world.view(key)).toBe('ROLLING_FORWARD');

  await world.report(JOB, 1, 'starting', 'running');
  await world.change(key, 'pause');
  await world.change(key, 'pause');
  const paused = await world.updateEvents(key);
  expect(paused).toEqual(['ROLLING_FORWARD(user/message)', 'ROLL_FORWARD_PAUSED(user/–)']);

  await world.leap(86_400_000);
  for (const id of [1, 2]) {
    await world.report(JOB, id, 'failed');
    await world.report(JOB, id, 'starting', 'running');
  }
  await world.advance(W);
  expect(await world.updateEvents(key)).toEqual(paused);
  expect(await world.instanceEvents(key)).toEqual({ 1: ['upd'] });

  await world.change(key, 'resume');
  expect(await world.view(key)).toBe('ROLLING_FORWARD');
  expect(await world.instanceEvents(key)).toEqual({ 1: ['upd', 'ok'], 2: ['upd'] });

  await world.addInstances(JOB, NEW, [100]);
  await replaceAndWatch(2);
  expect(await world.instanceEvents(key)).toEqual({ 1: ['upd', 'ok'], 2: ['upd', 'ok'] });
  expect((await world.updateEvents(key)).slice(2)).toEqual([
    'ROLLING_FORWARD(user/–)',
    'ROLLED_FORWARD(–/–)',
  ]);
  expect(await world.versions(JOB)).toEqual({ 0: 'new', 1: 'new', 2: 'new', 100: 'new' });
  await expect(world.change(key, 'abort')).rejects.toMatchObject({ code: 'INVALID_REQUEST' });
});

test('UPD-012 testSuccessfulBatchedUpdate: the next batch waits for the whole of the first', async () => {
  await world.runningJob(JOB, OLD, 3);
  const strategy = { kind: 'batch', groupSize: 2, autopause: false } as const;
  const key = await world.startUpdate(JOB, NEW, 3, { strategy });
  expect(await world.instanceEvents(key)).toEqual({ 0: ['upd'], 1: ['upd'] });

  // One that ends by itself while it is being killed is replaced like one that is killed.
  await world.report(JOB, 1, 'finished');
  await world.report(JOB, 1, 'running');
  await world.advance(W / 2);
  await world.replace(JOB, 0);
  await world.advance(W / 2);
  expect(await world.instanceEvents(key)).toEqual({ 0: ['upd'], 1: ['upd', 'ok'] });
  await world.advance(W / 2);
  expect(await world.instanceEvents(key)).toEqual({
    ...{ 0: ['upd', 'ok'], 1: ['upd', 'ok'], 2: ['upd'] },
  });
  await replaceAndWatch(2);
  expect(await world.instanceEvents(key)).toMatchObject({ 2: ['upd', 'ok'] });
  expect(await world.view(key)).toBe('ROLLED_FORWARD');
});

test('UPD-013 testUpdateSpecificInstances: what is out of scope keeps its config', async () => {
  await world.runningJob(JOB, OLD, 2);
  const key = await world.startUpdate(JOB, NEW, 2, { onlyTheseInstances: [{ first: 0, last: 0 }] });
  await replaceAndWatch(0);
  expect(await world.instanceEvents(key)).toEqual({ 0: ['upd', 'ok'] });
  expect(await world.view(key)).toBe('ROLLED_FORWARD');
  expect(await world.versions(JOB)).toEqual({ 0: 'new', 1: 'old' });
});

test('UPD-014 testUpdateSpecificInstancesSkipUnchanged: what is in scope and equal is not touched', async () => {
  await world.runningInstances(JOB, NEW, [0]);
  await world.runningInstances(JOB, OLD, [2]);
  const key = await world.startUpdate(JOB, NEW, 3, { onlyTheseInstances: [{ first: 0, last: 1 }] });
  await world.report(JOB, 1, 'running');
  await world.advance(W);
  expect(await world.instanceEvents(key)).toEqual({ 1: ['upd', 'ok'] });
  expect(await world.view(key)).toBe('ROLLED_FORWARD');
  expect(await world.versions(JOB)).toEqual({ 0: 'new', 1: 'new', 2: 'old' });
});

test('UPD-019 testStartInvalidUpdate: settings no updater can be built of are refused and nothing is stored', async () => {
  await world.runningJob(JOB, OLD, 1);
  const bad = [{ strategy: { kind: 'queue', groupSize: -1 } as const }, { minWaitInRunningMs: -1 }];
  for (const settings of bad) {
    const refused = world.tryStart(JOB, NEW, 1, settings);
    await expect(refused).rejects.toMatchObject({ name: 'RefusedError', code: 'ERROR' });
  }
  expect(await world.sql('SELECT 1 FROM job_updates')).toEqual([]);
  expect(await world.sql('SELECT 1 FROM job_update_events')).toEqual([]);
  expect(await world.versions(JOB)).toEqual({ 0: 'old' });
});

test('UPD-022 testImmediatelySuccessfulUpdate: what is there already ends the update in its first tick', async () => {
  await world.runningInstances(JOB, OLD, [0, 1, 2]);
  const key = await world.startUpdate(JOB, NEW, 3, { pulseTimeoutMs: 10_000 });
  // Before the first pulse somebody else brings the job to where the update wants it.
  for (const id of [0, 1, 2]) {
    await world.sql(
      `UPDATE tasks SET config_hash = u.desired_config_hash FROM job_updates u WHERE instance_id = ${id}`,
    );
  }
  await world.engine.updates.pulse(key);
  await world.settle();
  expect(await world.instanceEvents(key)).toEqual({});
  expect((await world.updateEvents(key)).slice(1)).toEqual([
    'ROLLING_FORWARD(–/–)',
    'ROLLED_FORWARD(–/–)',
  ]);
});

test('UPD-023 testNoopUpdateEmptyDiff: an update with nothing to do is not stored', async () => {
  await world.runningJob(JOB, NEW, 2);
  expect(await world.tryStart(JOB, NEW, 2)).toEqual({ kind: 'noop' });
  expect(await world.tryStart(aJob('nobody'), NEW, 0)).toEqual({ kind: 'noop' });
  expect(await world.sql('SELECT 1 FROM job_updates')).toEqual([]);
});

test('UPD-024 testSlowToScheduleTask: a task without a host is waited for as long as it takes', async () => {
  await world.close();
  world = await World.create({
    hosts: [{ host: 'small', total: { cpus: 3, ramMb: 1e6, diskMb: 1e6 } }],
  });
  await world.runningJob(JOB, OLD, 2);
  const large = aConfig('new', { resources: [{ numCpus: 2 }, { ramMb: 64 }, { diskMb: 64 }] });
  const key = await world.startUpdate(JOB, large, 2);
  await replaceAndWatch(0);
  await world.report(JOB, 1, 'killed');
  await world.leap(86_400_000);
  expect(await world.statuses(JOB)).toMatchObject({ 1: 'PENDING' });
  expect(await world.instanceEvents(key)).toEqual({ 0: ['upd', 'ok'], 1: ['upd'] });
  expect(await world.view(key)).toBe('ROLLING_FORWARD');
  await world.change(key, 'abort');
  expect(await world.view(key)).toBe('ABORTED');
});

test('UPD-025 testAddInstances: more instances of the same config', async () => {
  await world.runningJob(JOB, NEW, 2);
  const key = await world.startUpdate(JOB, NEW, 3);
  await world.report(JOB, 2, 'running');
  await world.advance(W);
  expect(await world.instanceEvents(key)).toEqual({ 2: ['upd', 'ok'] });
  expect(await world.view(key)).toBe('ROLLED_FORWARD');
  expect(await world.versions(JOB)).toEqual({ 0: 'new', 1: 'new', 2: 'new' });
});

test('UPD-026 testRemoveInstances: fewer instances of the same config', async () => {
  await world.runningJob(JOB, NEW, 2);
  const key = await world.startUpdate(JOB, NEW, 1);
  await world.report(JOB, 1, 'killed');
  expect(await world.instanceEvents(key)).toEqual({ 1: ['upd', 'ok'] });
  expect(await world.view(key)).toBe('ROLLED_FORWARD');
  expect(await world.versions(JOB)).toEqual({ 0: 'new' });
});

test('UPD-033 testInProgressUpdate: a second update of the job is refused with the first', async () => {
  await world.runningJob(JOB, OLD, 1);
  const key = await world.startUpdate(JOB, NEW, 1);
  const second = await world.tryStart(JOB, aConfig('newer'), 1);
  expect(second).toMatchObject({
    kind: 'in-progress',
    active: { key, state: 'ROLLING_FORWARD', createdMs: world.time.wallNow() },
  });
  expect(await world.sql('SELECT 1 FROM job_updates')).toHaveLength(1);
  // Another job is another matter.
  await world.startUpdate(aJob('other'), NEW, 1);
});

test('UPD-033 of two starts that come together one is refused with the other', async () => {
  await world.runningJob(JOB, OLD, 1);
  const [first, second] = await Promise.all([
    world.tryStart(JOB, NEW, 1),
    world.tryStart(JOB, aConfig('newer'), 1),
  ]);
  expect([first?.kind, second?.kind]).toEqual(['started', 'in-progress']);
  expect(await world.sql('SELECT 1 FROM job_updates')).toHaveLength(1);
});

test('UPD-028 testPauseUnknownUpdate, testResumeUnknownUpdate: verbs for no update are refused', async () => {
  const unknown = { job: JOB, id: 'no-such-update' };
  for (const verb of ['pause', 'resume', 'abort', 'rollback'] as const) {
    await expect(world.change(unknown, verb)).rejects.toBeInstanceOf(RefusedError);
  }
});
