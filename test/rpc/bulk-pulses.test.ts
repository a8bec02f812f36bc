/** pulseJobUpdates: a status for each key, and what a call costs. */
import type { JobUpdateKey } from '../../src/core/model/keys.js';
import { MOST_KEYS } from '../../src/rpc/extension.js';
import { aConfig, aJob } from '../support/builders.js';
import type { World } from '../support/world.js';
import { RpcWorld } from './support.js';

const P = 10_000;

let rpc: RpcWorld;
let world: World;

beforeEach(async () => {
  rpc = await RpcWorld.create();
  world = rpc.world;
});

afterEach(() => rpc.close());

/** An update that creates `name`'s one instance. */
function started(name: string, pulseTimeoutMs = P): Promise<JobUpdateKey> {
  const job = aJob(name);
  return world.startUpdate(job, aConfig('1', { job }), 1, { pulseTimeoutMs });
}

async function statuses(keys: readonly unknown[]): Promise<string[]> {
  const { updates } = (await rpc.ok('pulseJobUpdates', { keys })) as {
    updates: { key: unknown; status: string }[];
  };
  expect(updates.map(({ key }) => key)).toEqual(keys);
  await world.settle();
  return updates.map(({ status }) => status);
}

test('known, paused, uncoordinated, ended, unknown and malformed keys in one call, each told apart', async () => {
  const blocked = await started('blocked');
  const paused = await started('paused');
  await world.change(paused, 'pause');
  const free = await started('free', 0);
  const ended = await started('ended');
  await world.change(ended, 'abort');
  const keys = [
    ...[blocked, paused, free, ended],
    { job: aJob('blocked'), id: 'no-such-update' },
    { job: aJob('other-job'), id: blocked.id },
    { job: aJob('no job'), id: 'x' },
    { job: { role: 'role', name: 'n' }, id: 'x' },
    { job: aJob(), id: ' ' },
    { job: aJob() },
    { id: 'x' },
    {},
  ];
  expect(await statuses(keys)).toEqual([
    ...['OK', 'OK', 'FINISHED', 'FINISHED', 'UNKNOWN', 'UNKNOWN'],
    ...Array<string>(6).fill('MALFORMED_KEY'),
  ]);
  // The same effect as a pulse of its own: unblocked at once, and a pause held.
  expect((await world.updateEvents(blocked)).at(-1)).toBe('ROLLING_FORWARD(–/–)');
  expect(await world.view(paused)).toBe('ROLL_FORWARD_PAUSED');
});

test('keys in the registry cost no SQL, all those missing from it one statement together', async () => {
  const known = [await started('a'), await started('b')];
  await statuses(known);
  let before = world.db.statements;
  expect(await statuses(known)).toEqual(['OK', 'OK']);
  expect(world.db.statements).toBe(before);
  const unknown = Array.from({ length: 500 }, (_, index) => ({ job: aJob(), id: `none-${index}` }));
  before = world.db.statements;
  expect(new Set(await statuses([...known, ...unknown]))).toEqual(new Set(['OK', 'UNKNOWN']));
  expect(world.db.statements).toBe(before + 1);
});

test('an update that only the store knows is taken in; the rest of the call does not suffer', async () => {
  const [lost, known] = [await started('lost'), await started('known')];
  const { registry } = world.engine.updater;
  registry.remove(registry.withId(lost.id)!);
  expect(await statuses([known, lost, { job: aJob(), id: 'x' }])).toEqual(['OK', 'OK', 'UNKNOWN']);
  expect(registry.withId(lost.id)).toBeDefined();
  expect((await world.updateEvents(lost)).at(-1)).toBe('ROLLING_FORWARD(–/–)');
});

test('no keys are answered with none; too many are refused, and none of them is pulsed', async () => {
  expect(await statuses([])).toEqual([]);
  const key = await started('a');
  const keys = Array.from({ length: MOST_KEYS }, (_, index) => ({ job: aJob(), id: `${index}` }));
  const before = world.db.statements;
  expect(await rpc.verdict('pulseJobUpdates', { keys: [key, ...keys] })).toMatch(
    /^INVALID_REQUEST: keys: 10001 are more than 10000/,
  );
  expect([world.db.statements, world.engine.heartbeats.size]).toEqual([before, 0]);
  expect(await rpc.verdict('pulseJobUpdates')).toBe('ERROR: keys must be set');
  expect(new Set(await statuses(keys))).toEqual(new Set(['UNKNOWN']));
});

test('before the registry is loaded the call may be sent again', async () => {
  const { registry } = world.engine.updater;
  registry.loaded = false;
  expect((await rpc.call('pulseJobUpdates', { keys: [] })).code).toBe('ERROR_TRANSIENT');
  registry.loaded = true;
});
