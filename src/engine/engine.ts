/**
 * The engine: everything between the RPCs and the store and backend, wired together. The order of a start
 * is tasks.md §11.3's: tasks, backend, commands left over, timers, then updates; only then RPCs.
 */
import type { BackendSink, ClusterBackend } from '../backend/backend.js';
import type { Range } from '../core/model/ranges.js';
import { SLAVE_ASSIGNED_STATES } from '../core/model/statuses.js';
import type { AskCoordinator } from '../core/sla/coordinator.js';
import type { HistoryLimits } from '../core/task/pruning.js';
import type { ReconciliationSettings } from '../core/task/reconciliation.js';
import { DEFAULT_RECONCILIATION } from '../core/task/reconciliation.js';
import type { Log } from '../observe/log.js';
import type { Stats } from '../observe/stats.js';
import type { BackendCommand } from '../store/commands.js';
import { ConfigStore } from '../store/configs.js';
import type { Database } from '../store/database.js';
import { dropOldReceipts } from '../store/receipts.js';
import { TaskPages } from '../store/task-pages.js';
import { findTasks } from '../store/tasks.js';
import type { Clock, Timers } from '../time.js';
import type { UpdateAffinity, UpdateAffinitySettings } from './affinity.js';
import { createAffinity } from './affinity.js';
import { Actions } from './actions.js';
import { adoptTasks } from './adoption.js';
import { Backups, type BackupSettings } from './backups.js';
import { CommandRunner } from './commands.js';
import { Cron, type CronSettings } from './cron.js';
import { CronVerbs } from './cron-verbs.js';
import { Heartbeats } from './heartbeats.js';
import { Hosts } from './hosts.js';
import { JobLanes } from './job-lane.js';
import { Jobs } from './jobs.js';
import { Maintenance } from './maintenance.js';
import { Drains } from './maintenance-drains.js';
import type { UpdatePruningSettings } from './pruning.js';
import { updatePruning } from './pruning.js';
import { Quotas } from './quotas.js';
import { Reconciliation } from './reconciliation.js';
import { Recovery } from './recovery.js';
import { Reports } from './reports.js';
import { Rounds } from './rounds.js';
import { Scheduling } from './scheduling.js';
import type { SchedulingSettings } from './scheduling/settings.js';
import { DEFAULT_SCHEDULING } from './scheduling/settings.js';
import type { SlaKillSettings } from './sla-kills.js';
import { SlaKills } from './sla-kills.js';
import type { SlaMetricsSettings } from './sla-metrics.js';
import { SlaMetrics } from './sla-metrics.js';
import { Stepping } from './stepping.js';
import { TaskAdmin } from './task-admin.js';
import { TaskPruning } from './task-pruning.js';
import type { FlappingSettings } from './tasks.js';
import { Tasks, submitRequest } from './tasks.js';
import { Timeouts } from './timeouts.js';
import { UpdateVerbs } from './update-verbs.js';
import { Updater } from './updater.js';

/** All times in ms; the flags they come from are in operations.md §5.1. */
export interface EngineSettings {
  readonly schedulerHost: string;
  readonly gateCommitDeadlineMs: number;
  readonly flapping: FlappingSettings;
  readonly transientTimeoutMs: number;
  readonly initialKillRetryMs: number;
  readonly partitionAware: boolean;
  readonly portRanges: readonly Range[];
  readonly sla: SlaKillSettings;
  readonly slaMetrics: SlaMetricsSettings;
  readonly reconciliation: ReconciliationSettings;
  readonly taskHistory: HistoryLimits;
  readonly updatePruning: UpdatePruningSettings;
  readonly updateAffinity: UpdateAffinitySettings;
  readonly cron: CronSettings;
  /** `-host_maintenance_polling_interval`. */
  readonly maintenancePollMs: number;
  readonly scheduling: SchedulingSettings;
  /** Without a folder there are no backups. */
  readonly backups?: BackupSettings;
}

export const DEFAULT_ENGINE_SETTINGS: EngineSettings = {
  schedulerHost: 'localhost',
  gateCommitDeadlineMs: 1_000,
  flapping: { thresholdMs: 300_000, initialMs: 30_000, maxMs: 300_000 },
  transientTimeoutMs: 300_000,
  initialKillRetryMs: 15_000,
  partitionAware: false,
  portRanges: [{ first: 31_000, last: 32_000 }],
  sla: {
    minRequiredInstances: 20,
    awareKillNonProd: false,
    retry: { initialMs: 60_000, maxMs: 300_000 },
    maxBatchSize: 300,
  },
  // None: unlike the flags' defaults, so that what is counted in statements stays as it is.
  slaMetrics: { intervalMs: 60_000, production: [], nonProduction: [] },
  reconciliation: DEFAULT_RECONCILIATION,
  taskHistory: { pruneThresholdMs: 2 * 86_400_000, minRetentionMs: 3_600_000, maxPerJob: 100 },
  updatePruning: { intervalMs: 900_000, pruneThresholdMs: 30 * 86_400_000, maxPerJob: 10 },
  updateAffinity: { enabled: false, holdMs: 180_000 },
  cron: { offsetAt: () => 0, backoff: { initialMs: 5_000, maxMs: 60_000 } },
  maintenancePollMs: 60_000,
  scheduling: DEFAULT_SCHEDULING,
};

export interface EngineOptions {
  readonly db: Database;
  readonly backend: ClusterBackend;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly random: () => number;
  readonly stats: Stats;
  readonly log: Log;
  readonly settings: EngineSettings;
  /** By default every coordinator says no. */
  readonly askCoordinator?: AskCoordinator;
  /** A recovery has replaced the state: nothing acts from here on, and the process must end. */
  readonly onReplaced?: () => void;
}

const RECEIPT_SWEEP_MS = 60_000;

/** Work that comes round by itself once the scheduler serves. */
interface Chore {
  start(): void;
  stop(): void;
  /** A round is under way. */
  readonly busy: boolean;
}

export class Engine {
  readonly lanes = new JobLanes();
  readonly configs = new ConfigStore();
  readonly taskPages = new TaskPages();
  readonly heartbeats: Heartbeats;
  readonly commands: CommandRunner;
  readonly affinity: UpdateAffinity;
  readonly tasks: Tasks;
  readonly reports: Reports;
  readonly scheduling: Scheduling;
  readonly hosts: Hosts;
  readonly maintenance: Maintenance;
  readonly timeouts: Timeouts;
  readonly updater: Updater;
  readonly updates: UpdateVerbs;
  readonly jobs: Jobs;
  readonly cron: Cron;
  readonly cronJobs: CronVerbs;
  readonly quotas: Quotas;
  readonly taskAdmin: TaskAdmin;
  readonly reconciliation: Reconciliation;
  readonly taskPruning: TaskPruning;
  readonly slaMetrics: SlaMetrics;
  readonly backups: Backups | undefined;
  readonly recovery: Recovery | undefined;
  /** Wall time of this process's start: when an update that never got a pulse became stale. */
  readonly startedAtMs: number;
  private readonly chores: readonly Chore[];
  /** While the backend starts: tasks that are stored as RUNNING. */
  private foundRunning: Set<string> | undefined;

  constructor(readonly options: EngineOptions) {
    const { db, backend, clock, timers, random, stats, log, settings } = options;
    const { lanes, configs } = this;
    this.startedAtMs = clock.wallNow();
    this.heartbeats = new Heartbeats(clock);
    this.commands = new CommandRunner({
      ...{ db, backend, timers, log },
      launchFailed: (taskId) => this.scheduling.launchFailed(taskId),
    });
    this.affinity = createAffinity(settings.updateAffinity, timers, stats);
    const { commands, affinity } = this;
    this.tasks = new Tasks({
      clock,
      random,
      configs,
      commands,
      stats,
      log,
      flapping: settings.flapping,
      affinity,
      schedulerHost: settings.schedulerHost,
    });
    const { tasks } = this;
    this.reports = new Reports({ db, lanes, tasks, partitionAware: settings.partitionAware });
    const { portRanges, transientTimeoutMs, initialKillRetryMs, gateCommitDeadlineMs } = settings;
    this.scheduling = new Scheduling({
      ...{ db, lanes, tasks, configs, clock, timers, random, stats, log, portRanges, affinity },
      settings: settings.scheduling,
    });
    this.timeouts = new Timeouts({
      ...{ db, lanes, tasks, configs, commands, clock, timers, random, stats, log },
      ...{ transientTimeoutMs, initialKillRetryMs },
    });
    const { scheduling } = this;
    this.hosts = new Hosts({ db, lanes, backend, scheduling, timers, stats, log });
    const sla = {
      settings: settings.sla,
      askCoordinator: options.askCoordinator ?? ((_question, act) => act(false)),
    };
    const slaKills = new SlaKills({ ...{ tasks, configs, timers, random, stats, log }, ...sla });
    this.maintenance = new Maintenance({
      ...{ db, timers, log, hosts: this.hosts, pollMs: settings.maintenancePollMs },
      drains: new Drains({ ...{ db, lanes, tasks, configs, random, stats, log }, ...sla }),
    });
    this.updater = new Updater({
      ...{ db, lanes, clock, timers, stats, log, gateCommitDeadlineMs },
      heartbeats: this.heartbeats,
      stepping: new Stepping(tasks, configs, new Actions(tasks, slaKills), slaKills),
      slaBatchSize: settings.sla.maxBatchSize,
    });
    this.cron = new Cron({
      ...{ db, lanes, tasks, configs, clock, timers, random, stats, log },
      settings: settings.cron,
    });
    const { cron, updater } = this;
    this.updates = new UpdateVerbs(updater, configs, cron);
    const jobs = new Jobs({ db, lanes, tasks, configs, updater, cron });
    this.jobs = jobs;
    this.cronJobs = new CronVerbs({ db, lanes, configs, clock, updater, cron, jobs });
    this.quotas = new Quotas(db, configs);
    this.taskAdmin = new TaskAdmin({ db, lanes, tasks, updater });
    this.reconciliation = new Reconciliation({
      ...{ db, backend, clock, timers, stats, log },
      settings: settings.reconciliation,
    });
    this.taskPruning = new TaskPruning({
      ...{ db, tasks, clock, timers, stats, log },
      limits: settings.taskHistory,
    });
    const receiptSweep = new Rounds({
      ...{ timers, log, intervalMs: RECEIPT_SWEEP_MS, round: () => dropOldReceipts(db) },
      failure: 'old receipts could not be deleted',
    });
    this.slaMetrics = new SlaMetrics({
      ...{ db, configs, clock, timers, stats, log },
      settings: settings.slaMetrics,
    });
    this.chores = [
      updatePruning({ ...{ db, clock, timers, stats, log }, settings: settings.updatePruning }),
      ...[this.maintenance, this.slaMetrics],
      ...[this.taskPruning, this.reconciliation, receiptSweep],
    ];
    if (settings.backups !== undefined) {
      this.backups = new Backups({ db, clock, timers, stats, log, settings: settings.backups });
      const onReplaced = options.onReplaced ?? (() => undefined);
      this.recovery = new Recovery({ db, log, dir: settings.backups.dir, onReplaced });
    }
    tasks.subscribe((change) => this.foundRunning?.delete(change.task.taskId));
    tasks.subscribe((change) => this.reports.onTaskChange(change));
    tasks.subscribe((change) => this.timeouts.onTaskChange(change));
    tasks.subscribe((change) => this.updater.onTaskChange(change));
    tasks.subscribe((change) => this.maintenance.onTaskChange(change));
    tasks.subscribe((change) => this.taskPruning.onTaskChange(change));
    if (backend.placement === 'core') {
      tasks.subscribe((change) => this.scheduling.onTaskChange(change));
    }
  }

  /** Resolves when RPCs may come. The database must have been taken over. */
  async start(): Promise<void> {
    const { db, backend } = this.options;
    const { configs, reports, scheduling } = this;
    const { known, left, moving, running } = await adoptTasks({ db, configs, reports, scheduling });
    await this.hosts.load();
    this.foundRunning = running;
    await backend.start(this.sink(), known);
    this.foundRunning = undefined;
    this.hosts.tellAll();
    await this.replay(left);
    this.timeouts.adopt(moving);
    await this.updater.load();
    await this.scheduling.start();
    await this.updater.recover();
    await this.cron.start();
    for (const chore of this.chores) chore.start();
    this.timeouts.activate();
    await this.backups?.start();
  }

  /** Ends all that acts; tasks run on. Nothing may be asked of the engine afterwards. */
  async stop(): Promise<void> {
    for (const chore of this.chores) chore.stop();
    this.hosts.stop();
    this.cron.stop();
    this.updater.stop();
    this.timeouts.stop();
    this.scheduling.stop();
    this.affinity.stop();
    this.commands.stop();
    this.options.db.endWaiting();
    await this.backups?.stop();
    await this.recovery?.idle();
    await this.options.backend.stop();
    await this.lanes.idle();
  }

  /** Resolves when nothing is under way but what waits for a timer: for tests on a fake clock. */
  async idle(): Promise<void> {
    while (this.isBusy()) {
      await this.lanes.idle();
      await this.commands.idle();
      await new Promise((resolve) => setImmediate(resolve));
    }
  }

  private isBusy(): boolean {
    const { lanes, commands, timeouts, scheduling, backups, recovery } = this;
    if (lanes.busy > 0 || commands.busy || timeouts.pending > 0 || scheduling.busy) return true;
    return [...this.chores, backups, recovery].some((part) => part?.busy === true);
  }

  private sink(): BackendSink {
    return {
      status: (event) =>
        // It is stored so, and nothing but the backend acts yet: no need to ask Postgres about each.
        event.state === 'running' && this.foundRunning?.has(event.taskId) === true
          ? Promise.resolve('NOOP')
          : this.reports.report(event),
      host: (event) => this.hosts.onHost(event),
      // Only backends that place by themselves say these; the first comes with a later issue.
      placed: () => Promise.reject(new Error('this backend does not place tasks')),
      unplaceable: () => Promise.reject(new Error('this backend does not place tasks')),
    };
  }

  /** Sends what was committed but not taken before the last end. */
  private async replay(left: readonly BackendCommand[]): Promise<void> {
    if (left.length === 0) return;
    const { db } = this.options;
    const taskIds = [...new Set(left.map((command) => command.taskId))];
    const requests = await db.read(async (tx) => {
      const records = await findTasks(tx, taskIds);
      const configOf = await this.configs.load(
        tx,
        records.map((record) => record.configHash),
      );
      return new Map(
        records.flatMap((record) => {
          const { slaveHost, slaveId, assignedPorts, status } = record;
          if (slaveHost === undefined || !SLAVE_ASSIGNED_STATES.has(status)) return [];
          const target = { host: slaveHost, agentId: slaveId ?? slaveHost, ports: assignedPorts };
          const { config } = configOf(record.configHash);
          return [[record.taskId, submitRequest(record, config, target)] as const];
        }),
      );
    });
    this.commands.run(left, requests);
  }
}
