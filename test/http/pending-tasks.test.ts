/** `/pendingtasks`: an element for each group of equal tasks, with a list in brackets as text (operations.md §3). */
import type { TaskConfig } from '../../src/core/model/config.js';
import { pendingTasksRoutes } from '../../src/http/pending-tasks.js';
import type { Reply, RouteRequest } from '../../src/http/server.js';
import { aConfig, aJob } from '../support/builders.js';
import { World } from '../support/world.js';

test('who waits, since how long between tries, and why', async () => {
  const total = { cpus: 2, ramMb: 100, diskMb: 100 };
  await using world = await usable(World.create({ hosts: [{ host: 'a', total }] }));
  const { engine, addInstances } = world;
  const route = pendingTasksRoutes(() => engine.scheduling.pendingGroups())['/pendingtasks'];
  const read = async (): Promise<unknown[]> => {
    const reply = (await route?.GET?.({} as RouteRequest)) as Reply;
    expect([reply.status, reply.type]).toEqual([200, 'application/json']);
    return JSON.parse(String(reply.body)) as unknown[];
  };
  expect(await read()).toEqual([]);
  const needs = (cpus: number, ramMb: number, diskMb: number): TaskConfig =>
    aConfig('x', { resources: [{ numCpus: cpus }, { ramMb }, { diskMb }] });
  await addInstances(aJob('a'), needs(3, 200, 1), [0, 1]);
  await addInstances(aJob('b'), needs(3, 1, 200), [0]);
  await addInstances(aJob('b'), needs(3, 1, 1), [1]);
  const [first, second] = (await world.tasks(aJob('a'))).map(({ taskId }) => taskId);
  const [third, fourth] = (await world.tasks(aJob('b'))).map(({ taskId }) => taskId);
  const penaltyMs = 1_500;
  expect(await read()).toEqual([
    {
      ...{ penaltyMs, taskIds: [first, second], name: 'role/test/a' },
      reason: '[Insufficient: CPU, Insufficient: RAM]',
    },
    {
      ...{ penaltyMs, taskIds: [third], name: 'role/test/b' },
      reason: '[Insufficient: CPU, Insufficient: disk]',
    },
    { penaltyMs, taskIds: [fourth], name: 'role/test/b', reason: '[Insufficient: CPU]' },
  ]);
});

/** The world, closed at the end of the block. */
async function usable(created: Promise<World>) {
  const world = await created;
  return {
    engine: world.engine,
    addInstances: world.addInstances.bind(world),
    tasks: world.tasks.bind(world),
    [Symbol.asyncDispose]: () => world.close(),
  };
}
