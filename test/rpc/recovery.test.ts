/** Recovery from a backup: stage, query, edit, commit, unload (rpc.md §12 and §12.1). */
import { readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync, gzipSync } from 'node:zlib';
import { forge, linesOf, stateOf } from '../support/backup-files.js';
import { FlakyPostgres } from '../support/flaky-postgres.js';
import { newTestDir } from '../support/server-process.js';
import { aRequest, jobOf, KEY, NOWHERE, RpcWorld, version } from './support.js';

const CRON = { ...KEY, name: 'nightly' };
const HOUR = 3_600_000;
const BACKUP = 'scheduler-backup-2026-01-01-00-00';

let rpc: RpcWorld;
let dir: string;

async function open(through?: FlakyPostgres): Promise<RpcWorld> {
  const backups = { dir, intervalMs: 24 * HOUR, maxSaved: 5, clusterName: 'test-cluster' };
  return RpcWorld.create({
    settings: { backups },
    ...(through === undefined ? {} : { through }),
  });
}

beforeEach(async () => {
  dir = newTestDir('recovery');
  rpc = await open();
});

afterEach(async () => {
  await rpc.close();
  rmSync(dir, { recursive: true, force: true });
});

/** A request for an update that needs pulses. */
const coordinated = (instanceCount: number): ReturnType<typeof aRequest> =>
  aRequest(
    { blockIfNoPulsesAfterMs: 60_000 },
    { taskConfig: version('2', { job: KEY }), instanceCount },
  );
const stage = (backupId: unknown): Promise<string> => rpc.verdict('stageRecovery', { backupId });
const instancesOf = async (query?: unknown): Promise<number[]> => {
  const { tasks } = await rpc.ok('queryRecovery', { query });
  return (tasks as { assignedTask: { instanceId: number } }[])
    .map(({ assignedTask }) => assignedTask.instanceId)
    .sort();
};
const nothingStaged = async (): Promise<void> => {
  expect(await rpc.verdict('queryRecovery', { query: {} })).toBe('ERROR: no backup is staged');
  expect(await rpc.world.sql('SELECT FROM recovery_session')).toEqual([]);
  expect(
    await rpc.world.sql(
      `SELECT FROM pg_class WHERE relnamespace = 'recovery_staging'::regnamespace`,
    ),
  ).toEqual([]);
};

/** A world with something in every table, and a backup of it. */
async function everything(): Promise<Record<string, unknown[]>> {
  await rpc.running(2, { isService: true });
  const key = await rpc.startUpdate(coordinated(2), 'why');
  await rpc.ok('pulseJobUpdate', { key });
  await rpc.world.settle();
  await rpc.ok('setQuota', {
    ownerRole: 'www',
    quota: { resources: [{ numCpus: 1.1 }, { ramMb: 2 }, { diskMb: 3 }] },
  });
  await rpc.place({ 9: version('1', { job: KEY, constraints: [NOWHERE] }) });
  await rpc.ok('slaDrainHosts', { hosts: { hostNames: ['unknown'] }, timeoutSecs: 10 });
  await rpc.ok('scheduleCronJob', {
    description: jobOf({ job: CRON }, 1, { cronSchedule: '0 0 * * *' }),
  });
  await rpc.world.sql(
    `INSERT INTO cron_follow_ups SELECT role, environment, job_name, config_hash, 1, '{none}', now()
       FROM cron_jobs`,
  );
  await rpc.ok('performBackup');
  return stateOf(rpc.world);
}

describe('stageRecovery', () => {
  test('RPC-131, OPS-071 a name that is no backup of the folder is ERROR and names it', async () => {
    expect(await stage('nobody')).toBe('ERROR: backup nobody is not in --backup_dir');
    expect(await stage(undefined)).toBe('ERROR: backupId must be set');
    for (const name of ['../x', 'a/b', 'a\\b', '..', '.', '']) {
      expect(await stage(name)).toMatch(/^ERROR: backupId must be the name of a file/);
    }
    await nothingStaged();
  });

  test('a second one while one is staged is ERROR and leaves the first', async () => {
    await rpc.running(1);
    await rpc.ok('performBackup');
    expect(await stage(BACKUP)).toBe('OK');
    expect(await stage(BACKUP)).toMatch(/^ERROR: backup .* is staged already/);
    expect(await instancesOf({})).toEqual([0]);
    expect(
      await rpc.world.sql('SELECT backup_id, backup_cluster, staged_by FROM recovery_session'),
    ).toEqual([{ backup_id: BACKUP, backup_cluster: 'test-cluster', staged_by: 'shiro' }]);
  });

  test('what is staged outlives the process', async () => {
    await rpc.running(1);
    await rpc.ok('performBackup');
    expect(await stage(BACKUP)).toBe('OK');
    await rpc.world.restart();
    expect(await instancesOf({})).toEqual([0]);
  });

  test('a file that is cut short anywhere, or in which any byte was changed, is refused and named', async () => {
    await rpc.running(1);
    await rpc.ok('performBackup');
    const whole = readFileSync(join(dir, BACKUP));
    for (let size = 0; size < whole.length; size += Math.ceil(whole.length / 12)) {
      writeFileSync(join(dir, 'bad'), whole);
      truncateSync(join(dir, 'bad'), size);
      expect(await stage('bad')).toMatch(/^ERROR: backup bad is (cut short|damaged|no backup)/);
    }
    const text = gunzipSync(whole);
    for (let at = 1; at < text.length; at += Math.ceil(text.length / 12)) {
      const changed = Buffer.from(text);
      changed[at] = (changed[at] ?? 0) ^ 1;
      writeFileSync(join(dir, 'bad'), gzipSync(changed));
      expect(await stage('bad')).toMatch(/^ERROR: backup bad /);
    }
    // Lines that are missing as a whole, and lines too many.
    const lines = text.toString().trimEnd().split('\n');
    for (const wrong of [lines.slice(0, -1), [...lines, lines[1]], lines.toSpliced(2, 1)]) {
      writeFileSync(join(dir, 'bad'), gzipSync(`${wrong.join('\n')}\n`));
      expect(await stage('bad')).toMatch(/^ERROR: backup bad is (cut short|damaged: )/);
    }
    writeFileSync(join(dir, 'bad'), 'text');
    expect(await stage('bad')).toMatch(/^ERROR: backup bad is damaged: it is not compressed/);
    writeFileSync(join(dir, 'bad'), gzipSync('{"a":1}\n'));
    expect(await stage('bad')).toMatch(/^ERROR: backup bad is no backup of aurora-shim/);
    await nothingStaged();
  });

  test('what does not fit this release, or breaks a rule of a table, is refused and named', async () => {
    await rpc.running(2);
    await rpc.ok('performBackup');
    const lines = linesOf(join(dir, BACKUP));
    type Line = (typeof lines)[number];
    const wrong: [string, (line: Line) => Line[], RegExp][] = [
      [
        'newer format',
        (l) => [l['@backup'] ? { ...l, version: 2 } : l],
        /has version 2 of the format/,
      ],
      [
        'newer schema',
        (l) => [l['@backup'] ? { ...l, schema: '9999_x' } : l],
        /newer schema 9999_x/,
      ],
      [
        'no time',
        (l) => [l['@backup'] ? { ...l, createdAt: 'x' } : l],
        /must name schema, cluster/,
      ],
      [
        'table',
        (l) => (l['@table'] === 'quotas' ? [{ ...l, '@table': 'fence' }] : [l]),
        /table fence/,
      ],
      ['twice', (l) => (l['@table'] === 'quotas' ? [l, l] : [l]), /repeats table quotas/],
      [
        'column',
        (l) =>
          l['@table'] === 'quotas'
            ? [
                { ...l, columns: ['role', 'x'] },
                { role: 'r', x: 1 },
              ]
            : [l],
        /a column x in table quotas/,
      ],
      [
        'row',
        (l) => (l['@table'] === 'quotas' ? [l, { role: 'r' }] : [l]),
        /columns of table quotas/,
      ],
      [
        'type',
        (l) => ('instance_id' in l ? [{ ...l, instance_id: 'x' }] : [l]),
        /rule of table tasks: .*integer/,
      ],
      [
        'twice active',
        (l) => ('instance_id' in l ? [{ ...l, instance_id: 0 }] : [l]),
        /table tasks: duplicate key .* already exists/,
      ],
      [
        'status',
        (l) => ('slave_host' in l ? [{ ...l, status: 'GONE' }] : [l]),
        /table tasks: .*status_check/,
      ],
      ['link', (l) => ('hash' in l ? [] : [l]), /table tasks: .*foreign key/],
      [
        'history',
        (l) => ('happened_at' in l ? [] : [l]),
        /table tasks: .* has no row in task_events/,
      ],
    ];
    for (const [what, change, message] of wrong) {
      forge(join(dir, what), lines.flatMap(change));
      const verdict = await stage(what);
      expect([what, verdict]).toEqual([what, expect.stringMatching(message)]);
      expect(verdict.startsWith(`ERROR: backup ${what} `)).toBe(true);
    }
    await nothingStaged();
    forge(join(dir, 'right'), lines);
    expect(await stage('right')).toBe('OK');
  });

  test('a backup of an older schema gets the defaults of the columns it lacks', async () => {
    await rpc.running(1);
    await rpc.ok('performBackup');
    const lines = linesOf(join(dir, BACKUP)).map((line) => {
      const { times_partitioned: _, ...rest } = line;
      const columns = (line['columns'] as string[] | undefined)?.filter(
        (name) => name !== 'times_partitioned',
      );
      return {
        ...rest,
        ...(columns && { columns }),
        ...(line['schema'] ? { schema: '0001_init' } : {}),
      };
    });
    forge(join(dir, 'older'), lines);
    expect(await stage('older')).toBe('OK');
    const { tasks } = await rpc.ok('queryRecovery', { query: {} });
    expect(tasks).toMatchObject([{ timesPartitioned: 0 }]);
    await rpc.ok('unloadRecovery');
    await rpc.world.sql(
      `INSERT INTO schema_breaking_migration VALUES ('0002_update_blockers', 'so it is')`,
    );
    expect(await stage('older')).toMatch(
      /before the breaking change 0002_update_blockers \(so it is\)/,
    );
  });
});

describe('what is staged', () => {
  test('RPC-132 without it query, delete and commit are ERROR, unload is OK', async () => {
    for (const method of ['queryRecovery', 'deleteRecoveryTasks', 'commitRecovery']) {
      expect(await rpc.verdict(method, { query: {} })).toBe('ERROR: no backup is staged');
    }
    await rpc.ok('unloadRecovery');
  });

  test('is asked with the ordinary query, without offset and limit, and says what the backup said', async () => {
    await rpc.running(3);
    await rpc.ok('performBackup');
    const { tasks } = await rpc.ok('getTasksStatus', { query: {} });
    await rpc.ok('killTasks', { job: KEY });
    expect(await stage(BACKUP)).toBe('OK');
    expect((await rpc.ok('queryRecovery', { query: { offset: 1, limit: 1 } })).tasks).toEqual(
      tasks,
    );
    expect(await instancesOf(undefined)).toEqual([0, 1, 2]);
    expect(await instancesOf({ instanceIds: [1, 2], statuses: ['RUNNING'] })).toEqual([1, 2]);
    expect(await instancesOf({ statuses: ['KILLING'] })).toEqual([]);
    expect(await instancesOf({ statuses: [99] })).toEqual([]);
    expect(await rpc.verdict('queryRecovery', { query: { jobKeys: [{ role: 'r' }] } })).toMatch(
      /^ERROR: query:/,
    );
  });

  test('tasks are deleted from it alone; an empty or unset query deletes them all', async () => {
    await rpc.running(3);
    await rpc.ok('performBackup');
    expect(await stage(BACKUP)).toBe('OK');
    await rpc.ok('deleteRecoveryTasks', { query: { instanceIds: [1], limit: 0, offset: 5 } });
    expect(await instancesOf({})).toEqual([0, 2]);
    await rpc.ok('deleteRecoveryTasks', {});
    expect(await instancesOf({})).toEqual([]);
    expect(await rpc.world.statuses(KEY)).toEqual({ 0: 'RUNNING', 1: 'RUNNING', 2: 'RUNNING' });
    await rpc.ok('unloadRecovery');
    await nothingStaged();
    expect(await stage(BACKUP)).toBe('OK');
  });
});

describe('commitRecovery', () => {
  let replaced: number;

  beforeEach(() => {
    replaced = 0;
    const { options } = rpc.world.engine.recovery as unknown as {
      options: { onReplaced: () => void };
    };
    options.onReplaced = () => void (replaced += 1);
  });

  test('RPC-133, OPS-071 query, delete one, query, commit: the state has the other, the process ends', async () => {
    await rpc.running(2);
    await rpc.ok('performBackup');
    await rpc.ok('killTasks', { job: KEY });
    expect(await stage(BACKUP)).toBe('OK');
    expect(await instancesOf({})).toEqual([0, 1]);
    await rpc.ok('deleteRecoveryTasks', { query: { instanceIds: [1] } });
    expect(await instancesOf({})).toEqual([0]);
    await rpc.ok('commitRecovery');
    expect(replaced).toBe(1);
    expect(await rpc.world.statuses(KEY)).toEqual({ 0: 'RUNNING' });
    await rpc.world.restart();
    await nothingStaged();
    expect(await rpc.world.statuses(KEY)).toEqual({ 0: 'RUNNING' });
  });

  test('RPC-134 the state is, row by row, that of the backup, and numbers go on where they were', async () => {
    const before = await everything();
    const empty = Object.keys(before).filter((table) => before[table]?.length === 0);
    expect(empty).toEqual([]);
    await rpc.ok('setQuota', {
      ownerRole: 'other',
      quota: { resources: [{ numCpus: 1 }, { ramMb: 2 }, { diskMb: 3 }] },
    });
    await rpc.running(1, {}, { ...KEY, name: 'later' });
    const [{ seq } = { seq: '' }] = await rpc.world.sql<{ seq: string }>(
      'SELECT last_value AS seq FROM task_events_id_seq',
    );
    expect(await stage(BACKUP)).toBe('OK');
    await rpc.ok('commitRecovery');
    const after = await stateOf(rpc.world);
    // Configs are known by content: those of the backup are all there, others may be, too.
    expect(after['task_configs']).toEqual(expect.arrayContaining(before['task_configs'] ?? []));
    expect({ ...after, task_configs: [] }).toEqual({ ...before, task_configs: [] });
    await rpc.world.restart();
    await rpc.running(1, {}, { ...KEY, name: 'after' });
    const [{ min } = { min: '' }] = await rpc.world.sql<{ min: string }>(
      `SELECT min(e.id)::text AS min FROM task_events e JOIN tasks USING (task_id) WHERE job_name = 'after'`,
    );
    expect(Number(min)).toBeGreaterThan(Number(seq));
  });

  test('into a database that is younger than the backup: numbers start beyond those of the backup', async () => {
    const before = await everything();
    const other = await open();
    try {
      await other.ok('stageRecovery', { backupId: BACKUP });
      await other.ok('commitRecovery');
      expect(await stateOf(other.world)).toEqual(before);
      await other.world.restart();
      await other.running(1, {}, { ...KEY, name: 'after' });
      expect((await other.world.sql('SELECT FROM job_updates')).length).toBe(
        before['job_updates']?.length,
      );
    } finally {
      await other.close();
    }
  });

  test('from then on this process neither acts nor writes, and others of its epoch are refused', async () => {
    await rpc.running(1);
    await rpc.ok('performBackup');
    const { db, engine } = rpc.world;
    const epoch = db.currentEpoch ?? 0;
    await rpc.world.sql(`INSERT INTO backend_commands (task_id, kind) VALUES ('old', 'submit')`);
    expect(await stage(BACKUP)).toBe('OK');
    await rpc.ok('commitRecovery');
    expect(db.mayAct()).toBe(false);
    await expect(db.write({}, async () => undefined)).rejects.toThrow('does not lead');
    expect(await rpc.verdict('killTasks', { job: KEY })).toMatch(/^ERROR_TRANSIENT/);
    expect(await rpc.world.sql('SELECT epoch::int FROM scheduler_fence')).toEqual([
      { epoch: epoch + 1 },
    ]);
    // A submit of the old state must never be sent: its task may have run and ended since.
    expect(await rpc.world.sql('SELECT * FROM backend_commands')).toEqual([]);
    expect(engine.recovery?.busy).toBe(false);
  });

  test('it waits for writers under way, and those that come meanwhile are told to try again', async () => {
    await rpc.running(2);
    await rpc.ok('performBackup');
    expect(await stage(BACKUP)).toBe('OK');
    const { db } = rpc.world;
    let letGo: () => void = () => undefined;
    const held = new Promise<void>((resolve) => (letGo = resolve));
    const early = db.write({}, () => held);
    await new Promise((resolve) => setTimeout(resolve, 50));
    const committing = rpc.verdict('commitRecovery');
    let waits = 0;
    while (waits === 0) {
      [{ waits }] = (await rpc.world.sql(
        `SELECT count(*)::int AS waits FROM pg_locks WHERE locktype = 'advisory' AND NOT granted
            AND database = (SELECT oid FROM pg_database WHERE datname = current_database())`,
      )) as [{ waits: number }];
    }
    const late = rpc.verdict('killTasks', { job: KEY });
    letGo();
    await early;
    expect(await committing).toBe('OK');
    expect(await late).toMatch(/^ERROR_TRANSIENT/);
    expect(await rpc.world.statuses(KEY)).toEqual({ 0: 'RUNNING', 1: 'RUNNING' });
  });

  test('a commit that fails changes nothing, and the process goes on', async () => {
    await rpc.running(1);
    await rpc.ok('performBackup');
    expect(await stage(BACKUP)).toBe('OK');
    await rpc.world.sql(
      `ALTER TABLE tasks ADD CONSTRAINT no_more CHECK (instance_id > 0) NOT VALID`,
    );
    expect(await rpc.verdict('commitRecovery')).toMatch(/^ERROR: .*no_more/);
    expect(replaced).toBe(0);
    await rpc.world.sql('ALTER TABLE tasks DROP CONSTRAINT no_more');
    await rpc.ok('killTasks', { job: KEY });
    expect(await instancesOf({})).toEqual([0]);
  });

  test('coordinated updates that come back wait for a pulse, whatever was pulsed before', async () => {
    await rpc.running(1, { isService: true });
    const key = await rpc.startUpdate(coordinated(1));
    await rpc.ok('performBackup');
    await rpc.ok('pulseJobUpdate', { key });
    await rpc.world.settle();
    expect((await rpc.details(key)).instanceEvents).toHaveLength(1);
    expect(await stage(BACKUP)).toBe('OK');
    await rpc.ok('commitRecovery');
    await rpc.world.restart();
    const { update, instanceEvents } = await rpc.details(key);
    expect(update.summary.state.status).toBe('ROLL_FORWARD_AWAITING_PULSE');
    expect(instanceEvents).toEqual([]);
  });
});

describe('a COMMIT whose answer is lost', () => {
  let through: FlakyPostgres;
  let other: RpcWorld;

  beforeEach(async () => {
    through = await FlakyPostgres.listen();
    other = await open(through);
    await other.running(2);
    await other.ok('performBackup');
    await other.ok('stageRecovery', { backupId: BACKUP });
    await other.ok('deleteRecoveryTasks', { query: { instanceIds: [1] } });
  });

  afterEach(() => other.close());

  test('after which the state was replaced: OK, and the process ends', async () => {
    through.nextCommit = 'cut';
    await other.ok('commitRecovery');
    expect(other.world.db.mayAct()).toBe(false);
    expect(await other.world.statuses(KEY)).toEqual({ 0: 'RUNNING' });
  });

  test('that never arrived: try again, everything is as it was', async () => {
    through.nextCommit = 'lose';
    expect(await other.verdict('commitRecovery')).toMatch(/^ERROR_TRANSIENT/);
    expect(await other.world.statuses(KEY)).toEqual({ 0: 'RUNNING', 1: 'RUNNING' });
    await other.ok('commitRecovery');
    expect(await other.world.statuses(KEY)).toEqual({ 0: 'RUNNING' });
  });
});
