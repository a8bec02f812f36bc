/** SLA figures of a running engine as /vars shows them (tasks.md §9.1, operations.md §4.1). */
import { parseConfig } from '../../src/config/parse.js';
import type { Resource, TaskConfig } from '../../src/core/model/config.js';
import type { JobKey } from '../../src/core/model/keys.js';
import type { ScheduleStatus } from '../../src/core/model/statuses.js';
import { SCHEDULE_STATUSES } from '../../src/core/model/statuses.js';
import type { SlaCategory, SlaTask } from '../../src/core/sla/metrics-groups.js';
import { SlaFigures } from '../../src/core/sla/metrics-groups.js';
import type { SlaEvent } from '../../src/core/sla/metrics.js';
import type { SlaMetricsSettings } from '../../src/engine/sla-metrics.js';
import { isUntracked } from '../../src/observe/stats.js';
import { engineSettings, surroundings } from '../../src/settings.js';
import { aConfig, aJob } from '../support/builders.js';
import { World } from '../support/world.js';

const MINUTE = 60_000;
const ALL: readonly SlaCategory[] = ['JOB_UPTIMES', 'PLATFORM_UPTIME', 'MEDIANS'];
const JOB = aJob('job1');
const PROD = { production: true, tier: 'preferred' };

let world: World;

afterEach(async () => {
  await world.close();
});

async function start(settings: Partial<SlaMetricsSettings> = {}): Promise<void> {
  const slaMetrics = { intervalMs: MINUTE, production: ALL, nonProduction: [], ...settings };
  world = await World.create({ settings: { slaMetrics } });
}

const config = (job: JobKey, more: Partial<TaskConfig> = {}) =>
  aConfig('a', { job, ...PROD, ...more });

/** The gauges now: name without `sla_` → value. */
function gauges(): Record<string, unknown> {
  const all = Object.entries(world.stats.snapshot()).filter(
    ([name]) => name.startsWith('sla_') && !name.startsWith('sla_coordinator'),
  );
  return Object.fromEntries(all.map(([name, value]) => [name.slice(4), value]));
}

test('a refresh a minute, of the minute before it, shows what production services did', async () => {
  await start();
  await world.addInstances(JOB, config(JOB), [0, 1]);
  await world.advance(10_000);
  await world.report(JOB, 0, 'starting');
  await world.advance(10_000);
  await world.report(JOB, 0, 'running');
  await world.advance(39_000);
  expect(gauges()).toEqual({});
  await world.advance(1_000);
  expect(gauges()).toMatchObject({
    'role/test/job1_job_uptime_50.00_sec': 40,
    'role/test/job1_job_uptime_99.00_sec': 40,
    'role/test/job1_platform_uptime_percent': 100,
    'role/test/job1_mtta_ms': expect.any(Number),
    'role/test/job1_mtts_ms': expect.any(Number),
    'role/test/job1_mttr_ms': expect.any(Number),
    cpu_small_mttr_ms: expect.any(Number),
  });
  const [{ at }] = (await world.sql(
    `SELECT extract(epoch FROM max(happened_at) - min(happened_at))::float8 * 1000 AS at
       FROM task_events JOIN tasks USING (task_id)
      WHERE instance_id = 0 AND task_events.status IN ('PENDING', 'RUNNING')`,
  )) as [{ at: number }];
  expect(gauges()['cluster_mttr_ms']).toBe(at);

  // Half a minute later the platform loses one task, whose next generation runs at the minute's end.
  await world.report(JOB, 1, 'running');
  await world.advance(30_000);
  await world.report(JOB, 0, 'lost');
  await world.advance(30_000);
  expect(gauges()).toMatchObject({
    'role/test/job1_job_uptime_50.00_sec': 60,
    'role/test/job1_platform_uptime_percent': 75,
    cluster_platform_uptime_percent: 75,
  });
  await world.advance(MINUTE);
  expect(gauges()).toMatchObject({
    'role/test/job1_platform_uptime_percent': 50,
    'role/test/job1_mttr_ms': 0,
    cluster_mtta_ms: 0,
  });
});

const SIZES: readonly (readonly [string, readonly Resource[]])[] = [
  ['small', [{ numCpus: 1 }, { ramMb: 1024 }, { diskMb: 4096 }]],
  ['medium', [{ numCpus: 4 }, { ramMb: 8192 }, { diskMb: 16384 }]],
  ['large', [{ numCpus: 8 }, { ramMb: 16384 }, { diskMb: 32768 }]],
  ['xlarge', [{ numCpus: 16 }, { ramMb: 32768 }, { diskMb: 65536 }]],
  ['xxlarge', [{ numCpus: 17 }, { ramMb: 32769 }, { diskMb: 65537 }]],
];

test('OPS-065 production and other services have every gauge, those of the others with a suffix', async () => {
  await start({ nonProduction: ALL });
  for (const production of [true, false]) {
    for (const [size, resources] of SIZES) {
      const job = aJob(`${size}-${production}`);
      await world.addInstances(job, aConfig('a', { job, production, resources }), [0]);
    }
  }
  const adhoc = aJob('adhoc');
  await world.addInstances(adhoc, config(adhoc, { isService: false }), [0]);
  await world.advance(MINUTE);
  const medians = ['mtta_ms', 'mtts_ms', 'mttr_ms'];
  const ofJob = [
    ...['50', '75', '90', '95', '99'].map((p) => `job_uptime_${p}.00_sec`),
    ...['platform_uptime_percent', ...medians],
  ];
  const expected = [true, false].flatMap((production) =>
    [
      ...SIZES.flatMap(([size]) => ofJob.map((name) => `role/test/${size}-${production}_${name}`)),
      ...['platform_uptime_percent', ...medians].map((name) => `cluster_${name}`),
      ...['cpu', 'ram', 'disk'].flatMap((resource) =>
        SIZES.flatMap(([size]) => medians.map((name) => `${resource}_${size}_${name}`)),
      ),
    ].map((name) => (production ? name : `${name}_nonprod`)),
  );
  expect(Object.keys(gauges()).sort()).toEqual(expected.sort());
  expect(Object.keys(gauges()).every((name) => isUntracked(`sla_${name}`))).toBe(true);
});

test('gauges of a job that is gone are gone with it, and all of them at the end', async () => {
  await start();
  const other = aJob('other');
  await world.addInstances(JOB, config(JOB), [0]);
  await world.addInstances(other, config(other), [0]);
  await world.advance(MINUTE);
  expect(gauges()).toHaveProperty(['role/test/other_mtta_ms']);
  // Its ended tasks have figures for as long as they are stored.
  await world.report(other, 0, 'running', 'finished');
  const ids = await world.sql<{ id: string }>(
    `SELECT task_id AS id FROM tasks WHERE job_name = 'other'`,
  );
  await world.advance(MINUTE);
  expect(gauges()).toHaveProperty(['role/test/other_mtta_ms'], 0);
  await world.sql('SELECT shim_prune_tasks($1)', [ids.map(({ id }) => id)]);
  await world.advance(MINUTE);
  expect(Object.keys(gauges()).filter((name) => name.includes('other'))).toEqual([]);
  expect(gauges()).toHaveProperty(['role/test/job1_mtta_ms']);
  await world.stop();
  expect(gauges()).toEqual({});
  await world.start();
  await world.advance(MINUTE);
  expect(gauges()).toHaveProperty(['role/test/job1_mtta_ms']);
});

test('tasks that were killed before they had a host, and are hidden, have no figures', async () => {
  await start();
  await world.addInstances(JOB, config(JOB, { constraints: [NOWHERE] }), [0]);
  await world.engine.jobs.kill(JOB, undefined, 'user', undefined);
  expect(await world.tasks(JOB)).toEqual([]);
  await world.advance(MINUTE);
  expect(gauges()).toEqual({});
});

const NOWHERE = {
  name: 'rack',
  constraint: { value: { negated: false, values: ['nowhere'] } },
};

test('what fails leaves the gauges as they are, and the next refresh comes in its time', async () => {
  await start();
  await world.runningJob(JOB, config(JOB), 1);
  await world.advance(MINUTE);
  const before = gauges();
  await world.sql('ALTER TABLE task_events RENAME TO hidden_events');
  await world.advance(MINUTE);
  expect(gauges()).toEqual(before);
  await world.sql('ALTER TABLE hidden_events RENAME TO task_events');
  await world.advance(MINUTE);
  expect(gauges()).toMatchObject({ 'role/test/job1_job_uptime_50.00_sec': 180 });
});

test('a task whose history has no PENDING costs no other task its figures', async () => {
  await start();
  await world.runningJob(JOB, config(JOB), 1);
  const { role, environment, name } = JOB;
  await world.sql(
    `INSERT INTO tasks (task_id, role, environment, job_name, instance_id, config_hash, status)
     SELECT 'strange', $1, $2, $3, 7, config_hash, 'RUNNING' FROM tasks LIMIT 1`,
    [role, environment, name],
  );
  await world.sql(
    `INSERT INTO task_events (task_id, status, happened_at) VALUES ('strange', 'RUNNING', $1)`,
    [new Date(world.time.wallNow() + 20_000)],
  );
  await world.advance(MINUTE);
  expect(gauges()).toMatchObject({
    'role/test/job1_job_uptime_50.00_sec': 50,
    'role/test/job1_job_uptime_99.00_sec': expect.closeTo(40.2, 6),
    'role/test/job1_mttr_ms': 0,
  });
});

test('without figures that are wanted nothing is ever read', async () => {
  await start({ production: [] });
  await world.runningJob(JOB, config(JOB), 1);
  const before = world.db.statements;
  await world.leap(MINUTE);
  await world.leap(MINUTE);
  // The engine's own housekeeping, which is a transaction of three or four statements.
  expect(world.db.statements - before).toBeLessThanOrEqual(8);
  expect(gauges()).toEqual({});
});

test('the flags say how often, and which figures', async () => {
  await start();
  const of = (...args: string[]) => {
    const parsed = parseConfig(args, {}, () => '', surroundings());
    if ('errors' in parsed) throw new Error(parsed.errors.join('\n'));
    return engineSettings(parsed.config);
  };
  expect(of().slaMetrics).toEqual({ intervalMs: MINUTE, production: ALL, nonProduction: [] });
  const flags = ['-sla_stat_refresh_interval=5secs', '-sla_prod_metrics=MEDIANS'];
  expect(of(...flags, '-sla_non_prod_metrics=JOB_UPTIMES,MEDIANS').slaMetrics).toEqual({
    intervalMs: 5_000,
    production: ['MEDIANS'],
    nonProduction: ['JOB_UPTIMES', 'MEDIANS'],
  });
});

/** Stored tasks with histories that no scheduler would write, all of them seeded by a number. */
class Histories {
  private state: number;

  constructor(seed: number) {
    this.state = seed;
  }

  below(n: number): number {
    this.state = (this.state * 1_103_515_245 + 12_345) % 2_147_483_648;
    return Math.floor((this.state / 2_147_483_648) * n);
  }

  /** A generation of `instanceId` with up to eight events, in time with and before the frame. */
  async store(taskId: string, instanceId: number, hash: string, status: string): Promise<void> {
    const known = SCHEDULE_STATUSES.filter((status) => status !== 'INIT');
    const statuses: ScheduleStatus[] = ['PENDING'];
    for (let n = this.below(8); n > 0; n--) {
      statuses.push(known[this.below(known.length)] as ScheduleStatus);
    }
    const { role, environment, name } = JOB;
    await world.sql(
      `INSERT INTO tasks (task_id, role, environment, job_name, instance_id, config_hash, status)
       VALUES ($1, $2, $3, $4, $5, $6, $7)`,
      [taskId, role, environment, name, instanceId, hash, status],
    );
    let at = world.time.wallNow() - this.below(4 * MINUTE);
    for (const status of statuses) {
      await world.sql(
        'INSERT INTO task_events (task_id, status, happened_at) VALUES ($1, $2, $3)',
        [taskId, status, new Date(at)],
      );
      at += this.below(MINUTE);
    }
  }
}

test('the few events that are read tell the same as all of them', async () => {
  await start();
  await world.runningJob(JOB, config(JOB), 1);
  const [{ hash }] = (await world.sql('SELECT config_hash AS hash FROM tasks')) as [
    { hash: string },
  ];
  const histories = new Histories(42);
  for (let n = 0; n < 150; n++) {
    // Of each instance the last generation is the active one.
    await histories.store(`old-${n}`, 1 + (n % 50), hash, n < 100 ? 'KILLED' : 'RUNNING');
  }
  await world.advance(MINUTE);
  const shown = gauges();

  const endMs = world.time.wallNow();
  const found = new Map<string, number>();
  const whole = new SlaFigures({ startMs: endMs - MINUTE, endMs }, new Set(ALL), '', found);
  const rows = await world.sql<{
    id: string;
    instance: number;
    status: ScheduleStatus;
    events: [string, ScheduleStatus, number][];
  }>(
    `SELECT t.task_id AS id, instance_id AS instance, t.status,
            json_agg(json_build_array(e.id, e.status,
              round(extract(epoch FROM e.happened_at) * 1000)) ORDER BY e.id) AS events
       FROM tasks t JOIN task_events e USING (task_id) GROUP BY t.task_id ORDER BY instance_id`,
  );
  for (const { id, instance, status, events } of rows) {
    const all = events.map(([eventId, status, timestampMs]): SlaEvent => ({
      id: Number(eventId),
      status,
      timestampMs,
    }));
    const { resources } = config(JOB);
    const task: SlaTask = {
      ...{ taskId: id, job: JOB, instanceId: instance, status },
      ...{ config: { resources }, events: all },
    };
    whole.add(task);
  }
  Array.from(whole.finish());
  const expected = Object.fromEntries([...found].map(([name, x]) => [name.slice(4), x]));
  expect(shown).toEqual(expected);
  const percent = shown['role/test/job1_platform_uptime_percent'];
  expect(percent).toBeGreaterThan(0);
  expect(percent).toBeLessThan(100);
  for (const name of ['mtta', 'mtts', 'mttr']) {
    expect(shown[`role/test/job1_${name}_ms`]).toBeGreaterThan(0);
  }
});

test('tasks are read page by page, and none is missed between two', async () => {
  await start();
  await world.runningJob(JOB, config(JOB), 1);
  const { role, environment } = JOB;
  await world.sql(`INSERT INTO jobs SELECT $1, $2, 'job-' || n FROM generate_series(1, 300) n`, [
    role,
    environment,
  ]);
  await world.sql(
    `INSERT INTO tasks (task_id, role, environment, job_name, instance_id, config_hash, status)
     SELECT 'task-' || n || '-' || i, $1, $2, 'job-' || n, i, hash, 'RUNNING'
       FROM generate_series(1, 300) n, generate_series(0, 4) i, (SELECT config_hash AS hash FROM tasks LIMIT 1) c`,
    [role, environment],
  );
  await world.sql(
    `INSERT INTO task_events (task_id, status, happened_at)
     SELECT task_id, 'RUNNING', $1::timestamptz - instance_id * interval '1 second'
       FROM tasks WHERE job_name <> 'job1'`,
    [new Date(world.time.wallNow() - MINUTE)],
  );
  const before = world.db.statements;
  await world.advance(MINUTE);
  // 1501 tasks: four pages of two statements, what opens and closes them, and the engine's housekeeping.
  expect(world.db.statements - before).toBeLessThanOrEqual(8 + 4 + 4);
  const shown = gauges();
  for (let n = 1; n <= 300; n++) expect(shown[`role/test/job-${n}_job_uptime_50.00_sec`]).toBe(122);
  expect(Object.keys(shown)).toHaveLength(301 * 9 + 4 + 9);
});
