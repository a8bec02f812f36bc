/**
 * Runs a batch of worlds: a real engine on a real Postgres, a simulated cluster, fake time. Time moves in
 * steps of uneven length; in each one everything that is due happens at once, then all of it settles.
 *
 * What is noted while it runs (`Journal`) is judged by `rules.ts`; nothing here knows right from wrong but
 * by asking it.
 */
import pg from 'pg';
import { SimulatedBackend } from '../../../src/backend/simulated/simulated-backend.js';
import type {
  SimulatedScript,
  SimulatedTask,
} from '../../../src/backend/simulated/simulated-cluster.js';
import { SimulatedCluster } from '../../../src/backend/simulated/simulated-cluster.js';
import { RefusedError, TransientError } from '../../../src/core/errors.js';
import type { TaskConfig } from '../../../src/core/model/config.js';
import type { JobKey, JobUpdateKey } from '../../../src/core/model/keys.js';
import { isRolling } from '../../../src/core/model/statuses.js';
import type { Verb } from '../../../src/core/update/verbs.js';
import { DEFAULT_LIMITS } from '../../../src/core/validate/limits.js';
import type { ActiveUpdate } from '../../../src/engine/active-updates.js';
import { DEFAULT_ENGINE_SETTINGS, Engine } from '../../../src/engine/engine.js';
import { createLog } from '../../../src/observe/log.js';
import { Stats } from '../../../src/observe/stats.js';
import { updateReads } from '../../../src/rpc/update-reads.js';
import { aConfig, aSettings } from '../../support/builders.js';
import type { TestDatabase } from '../../support/database.js';
import { createTestDatabase } from '../../support/database.js';
import { FakeTime } from '../../support/fake-time.js';
import { FlakyPostgres } from '../../support/flaky-postgres.js';
import type { Point } from './observed-database.js';
import { ObservedDatabase, attributed } from './observed-database.js';
import type { BatchPlan, Trouble, WorldPlan } from './plans.js';
import { Dice, HORIZON_MS, HOSTS } from './plans.js';
import type { Details } from './rules.js';
import { Journal } from './rules.js';

/** The longest step while things happen, ms. */
const STEP_MS = 800;
/** Steps until every update must have ended once all has healed. */
const PATIENCE = 4_000;
/** A monitor whose P is shorter than this cannot keep the gate open; each of its pulses is worth one tick. */
const SHORTEST_PULSE_MS = 500;

interface World {
  readonly plan: WorldPlan;
  readonly job: JobKey;
  readonly dice: Dice;
  readonly targets: number[];
  readonly verbs: { atMs: number; verb: Verb }[];
  readonly mishaps: WorldPlan['mishaps'][number][];
  version: number;
  key: JobUpdateKey | undefined;
  nextPulseMs: number;
  /** A call that is not answered yet: users of one job take turns. */
  calling: boolean;
  calls: number;
}

export class Arena {
  readonly journal: Journal;
  private readonly time = new FakeTime();
  private readonly dice: Dice;
  private readonly engineDice: Dice;
  private readonly cluster: SimulatedCluster;
  private readonly worlds: World[];
  private readonly troubles: Trouble[];
  private db!: ObservedDatabase;
  private backend!: SimulatedBackend;
  private engine!: Engine;
  private details!: (id: JobUpdateKey) => Promise<Details>;
  /** What is to happen to the next write transactions. */
  private stall: Extract<Trouble, { what: 'stall' }> | undefined;
  private stallsLeft = 0;
  private failure: Extract<Trouble, { what: 'fail' }> | undefined;
  private failuresLeft = 0;
  private crash: Extract<Trouble, { what: 'crash' }> | undefined;
  private hostsBack: { host: string; atMs: number }[] = [];
  private healed = false;
  private startedAt = 0;
  private readonly calls = new Set<Promise<void>>();

  private constructor(
    private readonly plan: BatchPlan,
    private readonly database: TestDatabase,
    private readonly admin: pg.Pool,
    private readonly through: FlakyPostgres | undefined,
  ) {
    this.dice = new Dice(plan.seed);
    this.engineDice = new Dice(plan.seed);
    this.journal = new Journal(this.time, plan.commitDeadlineMs);
    this.troubles = [...plan.troubles].sort((a, b) => a.atMs - b.atMs);
    this.worlds = plan.worlds.map((world, n) => ({
      plan: world,
      job: { role: 'role', environment: 'test', name: `world${n}` },
      dice: new Dice(world.seed),
      targets: [...world.targets],
      verbs: [...world.verbs].sort((a, b) => a.atMs - b.atMs),
      mishaps: [...world.mishaps].sort((a, b) => a.atMs - b.atMs),
      version: 0,
      key: undefined,
      nextPulseMs: 0,
      calling: false,
      calls: 0,
    }));
    this.cluster = new SimulatedCluster({
      clock: this.time,
      timers: this.time,
      hosts: HOSTS.map((host) => ({ host })),
      script: ({ config }) => this.script(config.job.name),
    });
  }

  /** Runs the batch to its end and returns what was noted. */
  static async run(plan: BatchPlan): Promise<Journal> {
    const database = await createTestDatabase();
    const admin = new pg.Pool({ connectionString: database.url, max: 3 });
    // `end` does not wait for the server to see it, so dropping the database may still end a connection.
    admin.on('error', () => undefined);
    const isFlaky = plan.troubles.some(({ what }) => what === 'cut' || what === 'lose');
    const through = isFlaky ? await FlakyPostgres.listen() : undefined;
    const arena = new Arena(plan, database, admin, through);
    try {
      await admin.query(`
        CREATE TABLE test_clock (at timestamptz NOT NULL);
        INSERT INTO test_clock VALUES ('2026-01-01');
        CREATE OR REPLACE FUNCTION shim_clock() RETURNS timestamptz
          LANGUAGE sql VOLATILE AS 'SELECT at FROM test_clock';
        CREATE TABLE test_states (update_id text, state text, event_id bigint);
        CREATE FUNCTION test_note_state() RETURNS trigger LANGUAGE plpgsql AS $$
          BEGIN
            INSERT INTO test_states SELECT NEW.update_id, NEW.state, max(id)
              FROM job_update_events WHERE update_id = NEW.update_id;
            RETURN NULL;
          END $$;
        CREATE TRIGGER test_note_state AFTER UPDATE ON job_updates
          FOR EACH ROW EXECUTE FUNCTION test_note_state()`);
      await arena.start();
      await arena.live();
      await arena.stop();
      await arena.journal.audit(admin);
      return arena.journal;
    } finally {
      await arena.stop();
      await through?.close();
      await admin.end();
      await database.drop();
    }
  }

  // ---------------------------------------------------------------------------------------------- process

  private async start(): Promise<void> {
    const { time, cluster, plan, journal, database, through } = this;
    const log = createLog({
      level: 'error',
      destination: {
        write: (line) => journal.errorLogged(line, this.db.dead || this.db !== db),
      },
    });
    const db = new ObservedDatabase(
      {
        ...{ clock: time, log, holder: 'test', poolSize: plan.connections },
        url: through?.to(database.url) ?? database.url,
      },
      journal,
    );
    this.db = db;
    await db.takeOver();
    this.backend = new SimulatedBackend(cluster, { clock: time, timers: time });
    const stats = new Stats();
    const flapping = plan.flapping ? DEFAULT_ENGINE_SETTINGS.flapping.thresholdMs : 0;
    this.engine = new Engine({
      ...{ db, backend: this.backend, clock: time, timers: time, stats, log },
      random: () => this.engineDice.next(),
      settings: {
        ...DEFAULT_ENGINE_SETTINGS,
        gateCommitDeadlineMs: plan.commitDeadlineMs,
        flapping: { thresholdMs: flapping, initialMs: 2_000, maxMs: 20_000 },
        transientTimeoutMs: 20_000,
        initialKillRetryMs: 2_000,
        partitionAware: plan.partitionAware,
        sla: {
          ...{ minRequiredInstances: 3, awareKillNonProd: true, maxBatchSize: 5 },
          retry: { initialMs: 1_000, maxMs: 5_000 },
        },
      },
    });
    const { engine } = this;
    const reads = updateReads({
      ...{ engine, stats, limits: DEFAULT_LIMITS },
      settings: { unknownPulseResponse: 'INVALID_REQUEST' },
    });
    this.details = async (key) => {
      const { result } = await (reads['getJobUpdateDetails'] as (typeof reads)[string])(
        { query: { key } },
        { user: 'reader' },
      );
      const list = result?.['getJobUpdateDetailsResult'] as { detailsList: Details[] };
      return list.detailsList[0] as Details;
    };
    journal.processStarted();
    await engine.start();
    await this.settle();
    db.at = (point, isGated) => this.pass(point, isGated);
  }

  private async stop(): Promise<void> {
    if (this.db === undefined) return;
    this.db.at = undefined;
    await this.engine.stop();
    await this.db.close();
  }

  /** A new process; the old one's memory is gone, and what it was doing is not finished. */
  private async restart(): Promise<void> {
    this.db.dead = true;
    await this.stop();
    this.crash = undefined;
    if (this.through !== undefined) this.through.nextCommit = undefined;
    await this.start();
    await this.journal.restarted(this.admin);
  }

  private async settle(): Promise<void> {
    const { engine, backend } = this;
    do {
      await engine.idle();
      await backend.idle();
      await new Promise((resolve) => setImmediate(resolve));
    } while (engine.lanes.busy > 0 || engine.commands.busy || backend.pendingEvents > 0);
  }

  /** A write transaction has come this far. */
  private pass(point: Point, isGated: boolean): void {
    const { crash, stall, failure } = this;
    if (crash?.where === point && (isGated || !crash.gated)) {
      this.db.dead = true;
      return;
    }
    if (this.stallsLeft > 0 && stall?.where === point && (isGated || !stall.gated)) {
      this.stallsLeft -= 1;
      this.time.tick(stall.forMs);
      if (stall.pulses) for (const world of this.worlds) this.beat(world);
    }
    if (point === 'commit' && this.failuresLeft > 0 && (isGated || failure?.gated === false)) {
      this.failuresLeft -= 1;
      throw new TransientError('the store is away, says the test');
    }
  }

  // ------------------------------------------------------------------------------------------------- time

  private get nowMs(): number {
    return this.time.monoNow() - this.startedAt;
  }

  private async live(): Promise<void> {
    for (const world of this.worlds) await this.populate(world);
    await this.settle();
    this.startedAt = this.time.monoNow();
    while (this.nowMs < HORIZON_MS) await this.step(1 + this.dice.below(STEP_MS));
    this.heal();
    for (let n = 0; n < PATIENCE && this.worlds.some((world) => this.goesOn(world)); n++) {
      await this.step(this.untilNextEvent());
    }
  }

  private goesOn({ key, calling }: World): boolean {
    return key !== undefined || calling;
  }

  private untilNextEvent(): number {
    const now = this.time.monoNow();
    const due = this.worlds
      .filter((world) => world.key !== undefined && world.plan.pulseTimeoutMs > 0)
      .map((world) => world.nextPulseMs + this.startedAt);
    return Math.max(
      50,
      Math.min(5_000, (this.time.nextDue ?? Infinity) - now, ...due.map((at) => at - now)),
    );
  }

  private async step(ms: number): Promise<void> {
    this.time.tick(ms);
    // Postgres has a clock of its own, which nobody sets and which does not sleep.
    await this.admin.query("UPDATE test_clock SET at = at + $1 * interval '1 millisecond'", [ms]);
    for (const trouble of this.due(this.troubles)) await this.begin(trouble);
    for (const world of this.worlds) this.pulseIfDue(world);
    this.time.fireDue();
    for (const world of this.worlds) this.act(world);
    const read = this.read();
    await this.settle();
    await Promise.all([read, ...this.calls]);
    if (this.db.dead) await this.restart();
    for (const world of this.worlds) this.notice(world);
  }

  private due<T extends { readonly atMs: number }>(list: T[]): T[] {
    const first = list.findIndex(({ atMs }) => atMs > this.nowMs);
    return list.splice(0, first === -1 ? list.length : first);
  }

  // ---------------------------------------------------------------------------------------------- trouble

  private async begin(trouble: Trouble): Promise<void> {
    switch (trouble.what) {
      case 'step':
        this.time.stepWall(trouble.hours * 3_600_000);
        this.silence(trouble.silentMs);
        break;
      case 'sleep':
        this.time.sleep(trouble.forMs);
        this.journal.slept(trouble.forMs);
        this.silence(trouble.silentMs);
        break;
      case 'stall':
        this.stall = trouble;
        this.stallsLeft = trouble.times;
        break;
      case 'fail':
        this.failure = trouble;
        this.failuresLeft = trouble.times;
        break;
      case 'cut':
      case 'lose':
        if (this.through !== undefined) this.through.nextCommit = trouble.what;
        this.journal.cuts += 1;
        break;
      case 'restart':
        await this.restart();
        break;
      case 'crash':
        this.crash = trouble;
        break;
      case 'host': {
        const host = HOSTS[trouble.host] ?? HOSTS[0];
        this.cluster.crashHost(host);
        this.hostsBack.push({ host, atMs: this.nowMs + trouble.forMs });
        break;
      }
    }
  }

  private silence(ms: number): void {
    for (const world of this.worlds) world.nextPulseMs += ms;
  }

  private heal(): void {
    this.healed = true;
    this.stallsLeft = 0;
    this.failuresLeft = 0;
    this.crash = undefined;
    if (this.through !== undefined) this.through.nextCommit = undefined;
    for (const host of HOSTS) this.cluster.restoreHost(host);
    for (const { taskId, state } of this.cluster.liveTasks()) {
      if (state === 'unreachable') this.cluster.report(taskId, 'running');
    }
  }

  private script(jobName: string): SimulatedScript {
    const world = this.worlds.find(({ job }) => job.name === jobName);
    if (world === undefined) throw new Error(`${jobName} is of no world`);
    const { dice, plan } = world;
    const delays = {
      startDelayMs: dice.below(400),
      runDelayMs: dice.below(400),
      killDelayMs: dice.below(400),
    };
    if (this.healed) return delays;
    return {
      ...delays,
      ...(dice.below(100) < 1 ? { neverStarts: true } : {}),
      ...(dice.below(100) < 1 ? { ignoresKill: true } : {}),
      ...(dice.below(100) < plan.failing
        ? {
            exitAfterMs: dice.below(3_000),
            exitState: dice.of(['failed', 'failed', 'finished', 'lost'] as const) ?? 'failed',
          }
        : {}),
    };
  }

  // ----------------------------------------------------------------------------------------------- worlds

  private async populate({ plan, job }: World): Promise<void> {
    if (plan.initial === 0) return;
    const { jobs } = this.engine;
    await jobs.create(job, configOf(plan, job, 'v0'), plan.initial, () => undefined);
    const holes = plan.holes.filter((id) => id < plan.initial);
    if (holes.length > 0) await jobs.kill(job, holes, 'user', undefined);
  }

  /** What the world's users and machines do in this step. */
  private act(world: World): void {
    for (const { host } of this.due(this.hostsBack)) this.cluster.restoreHost(host);
    for (const { what } of this.due(world.mishaps)) {
      const task = world.dice.of(this.tasksOf(world));
      if (task !== undefined && !this.healed) this.cluster.report(task.taskId, what);
    }
    if (world.calling) return;
    const { key } = world;
    if (key === undefined) {
      if (!this.healed && world.dice.below(4) === 0) this.startNext(world);
      return;
    }
    if (!this.healed && world.dice.below(40) === 0) {
      this.intrude(world);
      return;
    }
    const entry = this.entryOf(world);
    const isPaused = entry !== undefined && !isRolling(entry.state);
    const verb = this.healed
      ? isPaused && 'resume'
      : world.verbs[0] !== undefined &&
        world.verbs[0].atMs <= this.nowMs &&
        world.verbs.shift()?.verb;
    // Left alone, a paused update would show nothing more.
    const helped = isPaused && world.dice.below(15) === 0 && 'resume';
    const what = verb || helped;
    if (what) this.call(world, (user) => this.change(key, what, user));
  }

  private tasksOf({ job }: World): SimulatedTask[] {
    return this.cluster.liveTasks().filter(({ request }) => request.config.job.name === job.name);
  }

  private entryOf({ job }: World): ActiveUpdate | undefined {
    return this.engine.updater.registry.ofJob(job);
  }

  /** After a step: which update is the world's now? A start may have outlived its caller. */
  private notice(world: World): void {
    const entry = this.entryOf(world);
    if (entry?.key.id === world.key?.id) return;
    world.key = entry?.key;
    world.nextPulseMs = this.nowMs + world.dice.below(3_000);
  }

  /** A user calls; a call that a dead process did not answer has no answer. */
  private call(world: World, work: (user: string) => Promise<void>): void {
    world.calling = true;
    const { db } = this;
    const user = `${world.job.name}#${world.calls++}`;
    const call = work(user)
      .catch((error: unknown) => {
        if (error instanceof RefusedError || error instanceof TransientError || db.dead) return;
        this.journal.find('internal', `${user}: ${String(error)}`);
      })
      .finally(() => {
        world.calling = false;
        this.calls.delete(call);
      });
    this.calls.add(call);
  }

  private async change(key: JobUpdateKey, verb: Verb, user: string): Promise<void> {
    const { db } = this;
    this.journal.asked(key.id, verb);
    await this.engine.updates.change(key, verb, user);
    if (!db.dead) await this.journal.acknowledged(this.admin, { updateId: key.id, verb, user });
  }

  private startNext(world: World): void {
    const target = world.targets.shift();
    if (target === undefined) return;
    const { plan, job } = world;
    const last = Math.min(plan.scope, target) - 1;
    const { strategy, maxPerInstanceFailures, maxFailedInstances, rollbackOnFailure } = plan;
    const settings = aSettings({
      ...{ strategy, maxPerInstanceFailures, maxFailedInstances, rollbackOnFailure },
      ...{ minWaitInRunningMs: plan.minWaitInRunningMs, pulseTimeoutMs: plan.pulseTimeoutMs },
      slaAware: plan.spared > 0,
      onlyTheseInstances: plan.scope < 1_000 ? [{ first: 0, last }] : [],
    });
    const config = configOf(plan, job, `v${++world.version}`);
    const { db, engine } = this;
    this.call(world, async (user) => {
      const request = { job, config, settings, instanceCount: target, metadata: [], user };
      const result = await engine.updates.start({ ...request, checkAfterDiff: () => undefined });
      if (db.dead || result.kind !== 'started') return;
      await this.journal.acknowledged(this.admin, { updateId: result.key.id, verb: 'start', user });
    });
  }

  /** Somebody else wants to update the job, or to kill its tasks, while an update is active. */
  private intrude(world: World): void {
    const { engine } = this;
    const { job, plan, dice } = world;
    const settings = aSettings({ strategy: plan.strategy });
    const isStart = dice.below(2) === 0;
    this.call(world, async (user) => {
      if (!isStart) {
        await engine.jobs.kill(job, [0], user, undefined);
        return;
      }
      const request = { job, config: aConfig('other', { job }), settings, instanceCount: 3 };
      await engine.updates.start({
        ...{ ...request, metadata: [], user },
        checkAfterDiff: () => undefined,
      });
    });
  }

  // -------------------------------------------------------------------------------------- monitor, reader

  private pulseIfDue(world: World): void {
    const { plan, key } = world;
    if (key === undefined || plan.pulseTimeoutMs === 0 || world.nextPulseMs > this.nowMs) return;
    const every = this.healed ? 0.4 : plan.pulseEvery;
    const periodMs = Math.max(SHORTEST_PULSE_MS, plan.pulseTimeoutMs * every);
    world.nextPulseMs = this.nowMs + periodMs;
    const isSilent = plan.silences.some(
      ({ fromMs, forMs }) => this.nowMs >= fromMs && this.nowMs < fromMs + forMs,
    );
    if (isSilent && !this.healed) return;
    // All is settled now, so a tick that this pulse wakes is told from everything else.
    const entry = this.entryOf(world);
    const isWanted =
      entry === undefined || ((entry.denied || entry.episodeOpen) && isRolling(entry.state));
    if (isWanted || this.engine.lanes.busy > 0) this.beat(world);
    else attributed(`${key.id} ${entry.state}`, () => this.beat(world));
  }

  private beat({ key, plan }: World): void {
    if (key === undefined || plan.pulseTimeoutMs === 0 || this.db.dead) return;
    if (!this.engine.updater.registry.loaded) return;
    this.journal.pulsed(key.id);
    const answer = this.engine.updates.pulse(key);
    if (typeof answer !== 'string') answer.catch(() => undefined);
  }

  /** Somebody looks at one of the updates while everything is under way. */
  private async read(): Promise<void> {
    const world = this.dice.of(this.worlds);
    if (world?.key === undefined) return;
    const { db } = this;
    try {
      this.journal.read(await this.details(world.key));
    } catch (error) {
      if (!(error instanceof TransientError || db.dead)) throw error;
    }
  }
}

function configOf({ spared }: WorldPlan, job: JobKey, version: string): TaskConfig {
  const percentageSlaPolicy = { percentage: spared, durationSecs: 1 };
  return aConfig(version, { job, ...(spared === 0 ? {} : { slaPolicy: { percentageSlaPolicy } }) });
}
