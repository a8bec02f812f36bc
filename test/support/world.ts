/**
 * A whole scheduler for scenario tests: real engine, real Postgres, simulated cluster, fake time.
 *
 * Tasks do nothing by themselves: a test says what happens to them (`report`), unless it gives the
 * cluster a script. `advance` moves time from timer to timer and lets everything settle in between.
 */
import { Client } from 'pg';
import type { SubmitRequest, BackendState } from '../../src/backend/backend.js';
import { SimulatedBackend } from '../../src/backend/simulated/simulated-backend.js';
import type {
  SimulatedHost,
  SimulatedScript,
} from '../../src/backend/simulated/simulated-cluster.js';
import { SimulatedCluster } from '../../src/backend/simulated/simulated-cluster.js';
import type { TaskConfig } from '../../src/core/model/config.js';
import type { JobKey, JobUpdateKey } from '../../src/core/model/keys.js';
import { jobKeyText } from '../../src/core/model/keys.js';
import type { UpdateSettings } from '../../src/core/model/update.js';
import type { AskCoordinator } from '../../src/core/sla/coordinator.js';
import { DEFAULT_RECONCILIATION } from '../../src/core/task/reconciliation.js';
import type { Verb } from '../../src/core/update/verbs.js';
import type { EngineSettings } from '../../src/engine/engine.js';
import { DEFAULT_ENGINE_SETTINGS, Engine } from '../../src/engine/engine.js';
import type { StartResult } from '../../src/engine/update-verbs.js';
import { silentLog } from '../../src/observe/log.js';
import { Stats } from '../../src/observe/stats.js';
import type { DatabaseOptions } from '../../src/store/database.js';
import type { TestDatabase } from './database.js';
import { createTestDatabase } from './database.js';
import { aSettings } from './builders.js';
import { FakeTime } from './fake-time.js';
import type { FlakyPostgres } from './flaky-postgres.js';
import { HookedDatabase } from './hooked-database.js';

export interface WorldOptions {
  /** What workloads do; by default nothing until the test says so. */
  readonly script?: (request: SubmitRequest) => SimulatedScript | undefined;
  readonly settings?: Partial<EngineSettings>;
  readonly database?: Partial<DatabaseOptions>;
  /** The scheduler reaches Postgres through this; closed with the world. */
  readonly through?: FlakyPostgres;
  /** Answers for SLA coordinators; by default no. */
  readonly askCoordinator?: AskCoordinator;
  /** By default one host with room for everything. */
  readonly hosts?: readonly SimulatedHost[];
}

/** Tasks are tried as soon as they wait, so that tests of other things need not move the clock for it. */
export const AT_ONCE = {
  ...DEFAULT_ENGINE_SETTINGS.scheduling,
  firstDelayMs: 0,
  startupSpreadMs: 0,
};

/**
 * Not within the time of any test that does not ask for it: what the cluster says is the test's to say, and
 * statements are counted.
 */
const RARELY = { ...DEFAULT_RECONCILIATION, initialDelayMs: 10 * 365 * 86_400_000 };

/** Starts nothing and ends nothing by itself. */
const SILENT: SimulatedScript = { neverStarts: true, ignoresKill: true };

export interface StoredTask {
  readonly taskId: string;
  readonly instanceId: number;
  readonly status: string;
  readonly configHash: string;
}

export class World {
  readonly time = new FakeTime();
  readonly stats = new Stats();
  readonly cluster: SimulatedCluster;
  db!: HookedDatabase;
  backend!: SimulatedBackend;
  engine!: Engine;
  private running = false;
  /** Earlier processes that were not stopped, the last one first. */
  private readonly deposed: { readonly engine: Engine; readonly db: HookedDatabase }[] = [];

  private constructor(
    readonly database: TestDatabase,
    private readonly admin: Client,
    private readonly options: WorldOptions,
  ) {
    this.cluster = new SimulatedCluster({
      clock: this.time,
      timers: this.time,
      script: options.script ?? (() => SILENT),
      ...(options.hosts === undefined ? {} : { hosts: options.hosts }),
    });
  }

  /** A database of its own and a started engine. */
  static async create(options: WorldOptions = {}): Promise<World> {
    const database = await createTestDatabase();
    const admin = new Client({ connectionString: database.url });
    await admin.connect();
    const world = new World(database, admin, options);
    await admin.query(`
      CREATE TABLE test_clock (at timestamptz NOT NULL);
      INSERT INTO test_clock VALUES (now());
      CREATE OR REPLACE FUNCTION shim_clock() RETURNS timestamptz
        LANGUAGE sql VOLATILE AS 'SELECT at FROM test_clock'`);
    await world.syncClock();
    await world.start();
    return world;
  }

  /** Ends everything; the database is kept when a test failed. */
  async close(): Promise<void> {
    if (this.running) await this.stop();
    for (const { engine, db } of this.deposed) {
      await engine.stop();
      await db.close();
    }
    await this.options.through?.close();
    await this.admin.end();
    await this.database.drop();
  }

  // ---------------------------------------------------------------------------------------------- process

  async start(): Promise<void> {
    const { time, stats, cluster, options } = this;
    const { url } = this.database;
    this.db = new HookedDatabase({
      url: options.through?.to(url) ?? url,
      clock: time,
      log: silentLog,
      holder: 'test',
      ...options.database,
    });
    await this.db.takeOver();
    this.backend = new SimulatedBackend(cluster, { clock: time, timers: time });
    this.engine = new Engine({
      db: this.db,
      backend: this.backend,
      clock: time,
      timers: time,
      random: () => 0.5,
      stats,
      log: silentLog,
      settings: {
        ...DEFAULT_ENGINE_SETTINGS,
        scheduling: AT_ONCE,
        reconciliation: RARELY,
        ...options.settings,
      },
      ...(options.askCoordinator === undefined ? {} : { askCoordinator: options.askCoordinator }),
    });
    await this.engine.start();
    this.running = true;
    await this.settle();
  }

  async stop(): Promise<void> {
    this.running = false;
    await this.engine.stop();
    await this.db.close();
  }

  /** A new process on the same store and cluster; the old one's memory is gone. */
  async restart(): Promise<void> {
    await this.stop();
    await this.start();
  }

  /**
   * A new process while the old one lives on without knowing: its timers fire and its requests are made,
   * but the cluster no longer talks to it. What a kill leaves in the store, and a test of the fence.
   */
  async depose(): Promise<{ readonly engine: Engine; readonly db: HookedDatabase }> {
    const old = { engine: this.engine, db: this.db };
    this.deposed.unshift(old);
    await this.start();
    return old;
  }

  // ------------------------------------------------------------------------------------------------- time

  /** Until nothing is under way but what waits for a timer. */
  async settle(): Promise<void> {
    do {
      await this.engine.idle();
      await this.backend.idle();
      await new Promise((resolve) => setImmediate(resolve));
    } while (
      this.engine.lanes.busy > 0 ||
      this.engine.commands.busy ||
      this.backend.pendingEvents > 0
    );
  }

  async advance(ms: number): Promise<void> {
    await this.settle();
    const target = this.time.monoNow() + ms;
    for (;;) {
      const due = this.time.nextDue;
      if (due === undefined || due > target) break;
      this.time.tick(Math.max(0, due - this.time.monoNow()));
      await this.syncClock();
      this.time.fireDue();
      await this.settle();
    }
    this.time.tick(target - this.time.monoNow());
    await this.syncClock();
  }

  /** All of it at once, as if nothing had been due in between: for days of which nothing is expected. */
  async leap(ms: number): Promise<void> {
    await this.settle();
    this.time.tick(ms);
    await this.syncClock();
    this.time.fireDue();
    await this.settle();
  }

  private async syncClock(): Promise<void> {
    await this.admin.query('UPDATE test_clock SET at = to_timestamp($1::float8 / 1000)', [
      this.time.wallNow(),
    ]);
  }

  // ------------------------------------------------------------------------------------------------- jobs

  /** Creates a job and brings all its tasks to RUNNING. */
  async runningJob(job: JobKey, config: TaskConfig, instances: number): Promise<void> {
    await this.engine.jobs.create(job, config, instances, () => undefined);
    await this.settle();
    for (let id = 0; id < instances; id++) await this.report(job, id, 'running');
  }

  /** Adds instances to a job, whatever it has already and whatever is being done to it. */
  async addInstances(
    job: JobKey,
    config: TaskConfig,
    instanceIds: readonly number[],
  ): Promise<void> {
    const { configs, tasks } = this.engine;
    await this.db.write({}, (tx) =>
      tasks.insertPending(tx, job, configs.identify(config), instanceIds),
    );
    await this.settle();
  }

  /** Adds instances that have been RUNNING for a minute. */
  async runningInstances(
    job: JobKey,
    config: TaskConfig,
    instanceIds: readonly number[],
  ): Promise<void> {
    await this.addInstances(job, config, instanceIds);
    for (const id of instanceIds) await this.report(job, id, 'running');
    await this.leap(60_000);
  }

  /** instance → `data` of the config of its active task (builders.ts). */
  async versions(job: JobKey): Promise<Record<number, string>> {
    const { rows } = await this.admin.query(
      `SELECT t.instance_id AS id, c.config -> 'executorConfig' ->> 'data' AS data
         FROM tasks t JOIN task_configs c ON c.hash = t.config_hash
        WHERE t.role = $1 AND t.environment = $2 AND t.job_name = $3 AND t.removed_at IS NULL
          AND t.status <> ALL ('{FINISHED,FAILED,KILLED,LOST}') ORDER BY t.instance_id`,
      [job.role, job.environment, job.name],
    );
    return Object.fromEntries(
      (rows as { id: number; data: string }[]).map((row) => [row.id, row.data]),
    );
  }

  /** The job's newest task of an instance (active first), tombstones left out. */
  async task(job: JobKey, instanceId: number): Promise<StoredTask | undefined> {
    return (await this.tasks(job)).filter((task) => task.instanceId === instanceId).pop();
  }

  /** All tasks of a job, by instance, oldest generation first. */
  async tasks(job: JobKey): Promise<StoredTask[]> {
    const { rows } = await this.admin.query(
      `SELECT task_id AS "taskId", instance_id AS "instanceId", status, config_hash AS "configHash"
         FROM tasks WHERE role = $1 AND environment = $2 AND job_name = $3 AND removed_at IS NULL
        ORDER BY instance_id,
                 (SELECT min(id) FROM task_events e WHERE e.task_id = tasks.task_id)`,
      [job.role, job.environment, job.name],
    );
    return rows as StoredTask[];
  }

  /** instance → status of the newest generation. */
  async statuses(job: JobKey): Promise<Record<number, string>> {
    return Object.fromEntries(
      (await this.tasks(job)).map((task) => [task.instanceId, task.status]),
    );
  }

  /** The backend says so about the instance's newest task; settled when it returns. */
  async report(job: JobKey, instanceId: number, ...states: BackendState[]): Promise<void> {
    for (const state of states) {
      const task = await this.task(job, instanceId);
      if (task === undefined) throw new Error(`${jobKeyText(job)} has no instance ${instanceId}`);
      this.cluster.report(task.taskId, state);
      await this.settle();
    }
  }

  /** An old task that was told to die does, and its replacement comes up. */
  async replace(job: JobKey, instanceId: number): Promise<void> {
    await this.report(job, instanceId, 'killed');
    await this.report(job, instanceId, 'starting', 'running');
  }

  // ---------------------------------------------------------------------------------------------- updates

  /** Starts an update and returns its key; fails the test when it was not started. */
  async startUpdate(
    job: JobKey,
    config: TaskConfig,
    instanceCount: number,
    settings: Partial<UpdateSettings> = {},
    audit: { user?: string; message?: string } = {},
  ): Promise<JobUpdateKey> {
    const result = await this.tryStart(job, config, instanceCount, settings, audit);
    if (result.kind !== 'started') throw new Error(`the update was not started: ${result.kind}`);
    return result.key;
  }

  async tryStart(
    job: JobKey,
    config: TaskConfig,
    instanceCount: number,
    settings: Partial<UpdateSettings> = {},
    audit: { user?: string; message?: string } = {},
  ): Promise<StartResult> {
    const result = await this.engine.updates.start({
      job,
      config,
      instanceCount,
      settings: aSettings(settings),
      metadata: [],
      user: audit.user ?? 'user',
      message: audit.message ?? 'message',
      checkAfterDiff: () => undefined,
    });
    await this.settle();
    return result;
  }

  /** A verb, settled when it returns; `user` is the default of `startUpdate`. */
  async change(key: JobUpdateKey, verb: Verb, user = 'user', message?: string): Promise<void> {
    await this.engine.updates.change(key, verb, user, message);
    await this.settle();
  }

  async pulse(key: JobUpdateKey): Promise<string> {
    const result = await this.engine.updates.pulse(key);
    await this.settle();
    return result;
  }

  /** What a reader is shown as the update's status. */
  async view(key: JobUpdateKey): Promise<string | undefined> {
    const entry = this.engine.updater.registry.get(`${jobKeyText(key.job)}/${key.id}`);
    if (entry !== undefined) return this.engine.updater.view(entry);
    return (await this.updateRow(key))?.state;
  }

  async updateRow(key: JobUpdateKey): Promise<{ state: string; revision: string } | undefined> {
    const { rows } = await this.admin.query(
      'SELECT state, revision FROM job_updates WHERE update_id = $1',
      [key.id],
    );
    return rows[0] as { state: string; revision: string } | undefined;
  }

  /** Stored update events as `STATUS(user/message)`, `–` for what is unset. */
  async updateEvents(key: JobUpdateKey): Promise<string[]> {
    const { rows } = await this.admin.query(
      'SELECT status, user_name, message FROM job_update_events WHERE update_id = $1 ORDER BY id',
      [key.id],
    );
    return (rows as { status: string; user_name: string | null; message: string | null }[]).map(
      (row) => `${row.status}(${row.user_name ?? '–'}/${row.message ?? '–'})`,
    );
  }

  /** Stored instance events by instance, in order. */
  async instanceEvents(key: JobUpdateKey): Promise<Record<number, string[]>> {
    const { rows } = await this.admin.query(
      'SELECT instance_id, action, message FROM job_instance_update_events WHERE update_id = $1 ORDER BY id',
      [key.id],
    );
    const byInstance: Record<number, string[]> = {};
    for (const row of rows as { instance_id: number; action: string; message: string | null }[]) {
      const text = `${SHORT_ACTIONS[row.action]}${row.message === null ? '' : `(${row.message})`}`;
      (byInstance[row.instance_id] ??= []).push(text);
    }
    return byInstance;
  }

  /** A counter of ours, 0 before it first counted. */
  counter(name: string): number {
    return Number(this.stats.snapshot()[name] ?? 0);
  }

  /** One statement outside the engine: what an operator does with psql. */
  async sql<T = Record<string, unknown>>(text: string, values: unknown[] = []): Promise<T[]> {
    return (await this.admin.query(text, values)).rows as T[];
  }
}

const SHORT_ACTIONS: Record<string, string> = {
  INSTANCE_UPDATED: 'ok',
  INSTANCE_ROLLED_BACK: 'rbok',
  INSTANCE_UPDATING: 'upd',
  INSTANCE_ROLLING_BACK: 'rb',
  INSTANCE_UPDATE_FAILED: 'bad',
  INSTANCE_ROLLBACK_FAILED: 'rbbad',
};
