/** Invariant 6 where it was once broken: what a tick costs when many groups in a row need nothing. */
import { aConfig, aJob } from '../support/builders.js';
import { World } from '../support/world.js';

const JOB = aJob();

test('invariant 6: untouched instances that a rollback comes to one by one take few statements', async () => {
  const world = await World.create();
  try {
    await world.runningInstances(JOB, aConfig('old'), [...Array(40).keys()]);
    // Touched first on the way back, and young: the others wait until it has been watched.
    await world.report(JOB, 39, 'failed');
    await world.report(JOB, 39, 'starting', 'running');
    const key = await world.startUpdate(JOB, aConfig('new'), 40, { minWaitInRunningMs: 20_000 });
    await world.change(key, 'rollback');
    await world.report(JOB, 0, 'killed', 'starting', 'running');
    expect(await world.instanceEvents(key)).toEqual({ 0: ['upd'], 39: ['rb'] });

    const before = world.db.statements;
    await world.advance(20_000);
    expect(world.db.statements - before).toBeLessThan(30);
    // It has come to the last one, past 38 that were as they should be.
    expect(await world.instanceEvents(key)).toEqual({ 0: ['upd', 'rb'], 39: ['rb', 'rbok'] });
  } finally {
    await world.close();
  }
});
