/**
 * A whole recovery with a real process and real tasks: back up, change things, stage, delete a task, commit;
 * the scheduler ends, and its successor finds the state of the backup and what really runs (rpc.md §12.1).
 */
import { rmSync } from 'node:fs';
import { dirname } from 'node:path';
import { lives } from '../support/server-process';
import { Cluster, isRunning, OBEDIENT, until, WEB } from './cluster';

const LATER = { ...WEB, name: 'later' };

let cluster: Cluster;

afterEach(() => cluster.close(), 60_000);

async function ok(
  method: string,
  args: Readonly<Record<string, unknown>> = {},
): Promise<Record<string, unknown>> {
  const { responseCode, details, result } = await cluster.ask(method, args);
  expect([method, responseCode, details]).toEqual([method, 'OK', []]);
  return (Object.values(result ?? {})[0] ?? {}) as Record<string, unknown>;
}

test.each([{ embedded: true }, { embedded: false }])(
  'RPC-133 the successor has the state of the backup: what runs goes on, what is gone is LOST, what is too much ends (embedded Postgres: $embedded)',
  async ({ embedded }) => {
    cluster = await Cluster.start({ embedded });
    // Of the backup: three tasks, and a coordinated update that a monitor pulses.
    await cluster.createJob(WEB, OBEDIENT, 3);
    const [kept, dropped, ended] = await cluster.live(WEB);
    const update = await cluster.startUpdate(WEB, {
      version: '2',
      pulseMs: 600_000,
      instanceCount: 3,
    });
    await ok('performBackup');
    const { backups } = await ok('listBackups');
    expect(backups).toEqual([expect.stringMatching(/^scheduler-backup-\d{4}(-\d\d){4}$/)]);
    const [backupId] = backups as string[];

    // Afterwards: the update is over, one task has ended and been replaced, and there is another job.
    await ok('abortJobUpdate', { key: update, message: 'not that one' });
    await ok('killTasks', { job: WEB, instances: [ended!.instanceId] });
    await until('it ended', async () => (await cluster.live(WEB)).length === 2);
    await cluster.createJob(LATER, OBEDIENT, 1);
    const [later] = await cluster.live(LATER);

    await ok('stageRecovery', { backupId });
    const query = { taskIds: [dropped!.taskId] };
    await ok('deleteRecoveryTasks', { query });
    expect((await ok('queryRecovery', { query: {} }))['tasks']).toHaveLength(2);
    expect((await ok('queryRecovery', { query }))['tasks']).toHaveLength(0);
    await cluster.pulse(update);
    await ok('commitRecovery');
    const end = await cluster.server.exited();
    expect([end.exitCode, end.signal]).toEqual([1, null]);
    // The backend forgets tasks that ended long ago.
    rmSync(dirname(dirname(cluster.server.sandbox(ended!.taskId))), { recursive: true });
    // Tasks run on without a scheduler.
    for (const task of [kept, dropped, later]) expect(lives(task!.pid)).toBe(true);

    await cluster.restart();
    await until('strangers are gone', async () => !lives(dropped!.pid) && !lives(later!.pid));
    expect(await cluster.live(LATER)).toEqual([]);
    expect(await cluster.statusOf(WEB, dropped!.taskId)).toBe('none');
    await until('instance 2 runs again', async () => {
      const live = await cluster.live(WEB);
      return live.length === 2 && live.every(isRunning);
    });
    const live = await cluster.live(WEB);
    expect(live.find(({ instanceId }) => instanceId === kept!.instanceId)).toEqual(kept);
    expect(lives(kept!.pid)).toBe(true);
    expect(
      await cluster.sql(
        'SELECT status FROM task_events WHERE task_id = $1 ORDER BY id DESC LIMIT 1',
        [ended!.taskId],
      ),
    ).toEqual([{ status: 'LOST' }]);

    // The update is active again, as in the backup, and waits for a pulse of its own.
    expect(await cluster.view(update)).toBe('ROLL_FORWARD_AWAITING_PULSE');
    expect((await cluster.history(update)).instanceEvents).toEqual({});
    expect((await cluster.ask('commitRecovery', {})).responseCode).toBe('ERROR');
    await ok('performBackup');
    await cluster.pulseUntil(update, 'ROLLED_FORWARD');
    expect((await cluster.live(WEB)).map(({ version }) => version)).toEqual(['2', '2', '2']);
  },
  180_000,
);
