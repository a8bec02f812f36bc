/** performBackup, listBackups, the timer, and what is in the files (rpc.md §12.1, operations.md §5.3). */
import { mkdirSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { prepareBackupDir } from '../../src/engine/backups.js';
import { BACKUP_TABLES } from '../../src/store/backup-tables.js';
import { backupText } from '../../src/store/backup.js';
import { startTestApp } from '../support/app.js';
import { linesOf, rowsOf, stateIn, stateOf } from '../support/backup-files.js';
import { FlakyPostgres } from '../support/flaky-postgres.js';
import { newTestDir } from '../support/server-process.js';
import { KEY, RpcWorld, version } from './support.js';

const HOUR = 3_600_000;
const FIRST = 'scheduler-backup-2026-01-01-00-00';

let rpc: RpcWorld;
let dir: string;

beforeEach(async () => {
  dir = newTestDir('backups');
  rpc = await RpcWorld.create({
    settings: { backups: { dir, intervalMs: HOUR, maxSaved: 5, clusterName: 'test-cluster' } },
  });
});

afterEach(async () => {
  await rpc.close();
  rmSync(dir, { recursive: true, force: true });
});

const listed = async (): Promise<string[]> => (await rpc.ok('listBackups')).backups as string[];
const succeeded = (): number => rpc.stat('scheduler_backup_success');
const failed = (): number => rpc.stat('scheduler_backup_failed');

describe('performBackup', () => {
  test('writes one file of the minute in UTC, that its owner alone can read', async () => {
    await rpc.running(2);
    await rpc.ok('performBackup');
    expect(readdirSync(dir)).toEqual([FIRST]);
    expect(statSync(join(dir, FIRST)).mode & 0o777).toBe(0o600);
    expect([succeeded(), failed()]).toEqual([1, 0]);
    const lines = linesOf(join(dir, FIRST));
    expect(lines[0]).toEqual({
      '@backup': 'aurora-shim',
      version: 1,
      schema: expect.stringMatching(/^\d{4}_/),
      createdAt: '2026-01-01T00:00:00.000Z',
      cluster: 'test-cluster',
    });
    const tables = lines.flatMap((line) => line['@table'] ?? []);
    expect(tables).toEqual(BACKUP_TABLES.map(({ name }) => name));
    const tasks = rowsOf(lines, 'tasks');
    expect(tasks.map((task) => task['status'])).toEqual(['RUNNING', 'RUNNING']);
  });

  test('a second one of the same minute takes its place', async () => {
    await rpc.ok('performBackup');
    await rpc.running(1);
    await rpc.ok('performBackup');
    expect(await listed()).toEqual([FIRST]);
    expect(rowsOf(linesOf(join(dir, FIRST)), 'tasks')).toHaveLength(1);
  });

  test('RPC-136 without its folder it is ERROR; the timer only counts', async () => {
    rmSync(dir, { recursive: true });
    expect(await rpc.verdict('performBackup')).toMatch(/^ERROR: the backup could not be written: /);
    expect([succeeded(), failed()]).toEqual([0, 1]);
    await rpc.world.advance(HOUR);
    expect([succeeded(), failed()]).toEqual([0, 2]);
    mkdirSync(dir);
    await rpc.world.advance(HOUR);
    expect([succeeded(), failed()]).toEqual([1, 2]);
  });

  test('one that fails half-way leaves nothing and keeps the older one of the minute', async () => {
    await rpc.ok('performBackup');
    const { size, mtimeMs } = statSync(join(dir, FIRST));
    await rpc.world.sql('ALTER TABLE job_instance_update_events RENAME TO hidden');
    expect(await rpc.verdict('performBackup')).toMatch(/^ERROR/);
    await rpc.world.sql('ALTER TABLE hidden RENAME TO job_instance_update_events');
    expect(readdirSync(dir)).toEqual([FIRST]);
    expect(statSync(join(dir, FIRST))).toMatchObject({ size, mtimeMs });
    await rpc.ok('performBackup');
  });

  test('the server works meanwhile, and the backup is of one moment', async () => {
    await rpc.running(2);
    const { db } = rpc.world;
    const text = await db.snapshot(async (tx) => {
      const about = { createdAt: new Date(0).toISOString(), cluster: 'c' };
      const lines = backupText(tx, about);
      let all = '';
      for await (const part of lines) {
        // Tables that were read and tables that were not change in between.
        if (part.includes('"@table":"task_configs"'))
          await rpc.running(1, {}, { ...KEY, name: 'b' });
        all += part;
      }
      return all;
    });
    expect(text.match(/"status":"RUNNING","slave_host"/g)).toHaveLength(2);
    expect(text).not.toContain('"job_name":"b"');
    expect(await rpc.world.sql('SELECT FROM tasks')).toHaveLength(3);
  });

  test('rows are fetched in batches, however many there are', async () => {
    await rpc.place({ 0: version('1', { job: KEY }) });
    await rpc.world.sql(`
      INSERT INTO task_events (task_id, status, happened_at)
      SELECT task_id, 'RUNNING', now() FROM tasks, generate_series(1, 1300)`);
    const sizes = await rpc.world.db.snapshot(async (tx) => {
      const parts: number[] = [];
      for await (const part of backupText(tx, { createdAt: '', cluster: '' })) {
        parts.push(part.split('\n').length - 1);
      }
      return parts;
    });
    expect(Math.max(...sizes)).toBe(500);
    expect(sizes.filter((size) => size === 500)).toHaveLength(2);
  });
});

describe('listBackups', () => {
  test('every file that could be staged: also those of others, no draft, no folder', async () => {
    expect(await listed()).toEqual([]);
    await rpc.ok('performBackup');
    writeFileSync(join(dir, 'before-the-move'), '');
    writeFileSync(join(dir, 'temp_scheduler-backup-2025-01-01-00-00'), '');
    mkdirSync(join(dir, 'folder'));
    expect((await listed()).sort()).toEqual(['before-the-move', FIRST]);
  });

  test('a folder that cannot be read is ERROR', async () => {
    rmSync(dir, { recursive: true });
    expect(await rpc.verdict('listBackups')).toMatch(/^ERROR: --backup_dir cannot be read: ENOENT/);
  });
});

describe('by the timer', () => {
  test('RPC-134, OPS-069 none before the interval is over, one then, and one for each after it', async () => {
    await rpc.running(1);
    await rpc.world.advance(HOUR - 1 - (rpc.world.time.wallNow() - Date.UTC(2026, 0, 1)));
    expect([await listed(), succeeded()]).toEqual([[], 0]);
    await rpc.world.advance(1);
    expect([await listed(), succeeded()]).toEqual([['scheduler-backup-2026-01-01-01-00'], 1]);
    const state = stateIn(join(dir, 'scheduler-backup-2026-01-01-01-00'));
    expect(state['tasks']).toHaveLength(1);
    expect(state).toEqual(await stateOf(rpc.world));
    await rpc.world.advance(HOUR);
    expect(succeeded()).toBe(2);
  });

  test('RPC-135, OPS-070 of six the oldest is deleted; other files are left alone', async () => {
    const others = ['a-copy', 'scheduler-backup-2020-01-01-00-00.keep'];
    for (const name of others) writeFileSync(join(dir, name), '');
    await rpc.world.advance(5 * HOUR);
    const names = [1, 2, 3, 4, 5, 6].map((hour) => `scheduler-backup-2026-01-01-0${hour}-00`);
    expect(await listed()).toEqual([others[0], others[1], ...names.slice(0, 5)].sort());
    await rpc.world.advance(HOUR);
    expect(await listed()).toEqual([...others, ...names.slice(1)].sort());
    expect(succeeded()).toBe(6);
  });

  test('OPS-070 after a long sleep of the machine there is one, not one for each hour missed', async () => {
    await rpc.world.leap(3 * HOUR);
    expect([await listed(), succeeded()]).toEqual([['scheduler-backup-2026-01-01-03-00'], 1]);
  });

  test('what a process that died was writing is removed at the next start; the timer ends with it', async () => {
    writeFileSync(join(dir, `temp_${FIRST}`), 'half');
    await rpc.world.restart();
    expect(readdirSync(dir)).toEqual([]);
    await rpc.world.stop();
    rpc.world.time.tick(2 * HOUR);
    rpc.world.time.fireDue();
    expect(readdirSync(dir)).toEqual([]);
    await rpc.world.start();
  });
});

describe('snapshot', () => {
  test('RPC-137 is OK while the database takes writes and changes nothing, ERROR when it does not', async () => {
    const through = await FlakyPostgres.listen();
    const other = await RpcWorld.create({ through });
    try {
      await other.ok('snapshot');
      through.goAway();
      expect(await other.verdict('snapshot')).toMatch(/^ERROR: the database cannot be written: /);
      through.comeBack();
      await other.ok('snapshot');
    } finally {
      await other.close();
    }
  });

  test('a scheduler that was deposed tells the client to look for the other one', async () => {
    const old = await rpc.world.depose();
    await expect(old.db.write({}, async () => undefined)).rejects.toThrow('another scheduler');
    await rpc.ok('snapshot');
  });
});

test('without a folder the calls about backups are ERROR', async () => {
  const other = await RpcWorld.create();
  try {
    for (const method of ['performBackup', 'listBackups', 'commitRecovery', 'unloadRecovery']) {
      expect(await other.verdict(method)).toMatch(/^ERROR: .*there is no backup folder/);
    }
  } finally {
    await other.close();
  }
});

test('a folder that cannot be made keeps the scheduler from starting, and the flag is named', async () => {
  const file = join(dir, 'file');
  writeFileSync(file, '');
  const started = startTestApp({ flags: [`--backup_dir=${file}/below`] });
  await expect(started).rejects.toThrow(`--backup_dir=${file}/below cannot be written: `);
  await prepareBackupDir(join(dir, 'new', 'backups'));
  expect(statSync(join(dir, 'new', 'backups')).mode & 0o777).toBe(0o700);
});
