/**
 * The composition root: builds the parts of a serving scheduler, wires them, starts them in order and stops
 * them in reverse. Nothing here knows what a job is.
 */
import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { uptime } from 'node:os';
import { createAccess } from './access.js';
import type { ClusterBackend } from './backend/backend.js';
import { LocalBackend } from './backend/local/local-backend.js';
import { SimulatedBackend } from './backend/simulated/simulated-backend.js';
import { SimulatedCluster } from './backend/simulated/simulated-cluster.js';
import type { Config } from './config/flags.js';
import { TransientError } from './core/errors.js';
import { executorDataProblem } from './core/thermos/refusals.js';
import { prepareBackupDir } from './engine/backups.js';
import { BlockerLog } from './engine/blocker-log.js';
import { Engine } from './engine/engine.js';
import { createApiHandler } from './http/api-handler.js';
import { operatorRoutes } from './http/health.js';
import { hostRoutes } from './http/host-pages.js';
import { pendingTasksRoutes } from './http/pending-tasks.js';
import { callCounter, requestCounter } from './http/request-counter.js';
import type { HttpServer } from './http/server.js';
import { startHttpServer } from './http/server.js';
import { AlreadyLedError, Lease } from './leader/lease.js';
import type { Log } from './observe/log.js';
import { Metrics } from './observe/metrics.js';
import { addProcessStats } from './observe/process-stats.js';
import { Stats } from './observe/stats.js';
import { Coordinator } from './outbound/coordinator.js';
import { createExtension } from './rpc/extension.js';
import { createMethods } from './rpc/methods.js';
import type { RpcMethod } from './rpc/outcome.js';
import {
  advertisedHost,
  coordinatorSettings,
  engineSettings,
  validationLimits,
  virtualHosts,
} from './settings.js';
import { Database } from './store/database.js';
import { startEmbeddedPostgres } from './store/embedded.js';
import { LeaseStore } from './store/lease.js';
import { migrate } from './store/migrate.js';
import type { Clock } from './time.js';
import { systemClock, systemTimers } from './time.js';
import { auroraShim, createAuroraService } from './wire/service.js';

export interface AppOptions {
  readonly config: Config;
  readonly log: Log;
  /** The process should end, orderly, with this exit code: another scheduler leads, or somebody asked. */
  readonly end: (exitCode: number) => void;
  /** The process should end at once. */
  readonly abort: () => void;
  /** Instead of the backend that the configuration names: for benchmarks on a cluster that has tasks. */
  readonly backend?: (clock: Clock) => ClusterBackend;
}

export interface App {
  readonly port: number;
  readonly databaseUrl: string;
  /** Finishes what is under way; tasks run on. */
  stop(): Promise<void>;
}

/** What has been started, to be stopped in reverse. */
class Started {
  private readonly stops: (() => Promise<unknown>)[] = [];

  add(stop: () => Promise<unknown>): void {
    this.stops.push(stop);
  }

  async stopAll(log: Log): Promise<void> {
    for (const stop of this.stops.reverse()) {
      await stop().catch((error: unknown) => log.error({ err: error }, 'a part did not stop'));
    }
  }
}

/** @throws Error with one line for the operator when a part cannot be started; the others are stopped */
export async function startApp(options: AppOptions): Promise<App> {
  const started = new Started();
  try {
    return await startParts(options, started);
  } catch (error) {
    await started.stopAll(options.log);
    throw error;
  }
}

async function startParts(options: AppOptions, started: Started): Promise<App> {
  const { config, log, end } = options;
  const clock = systemClock(uptime);
  const timers = systemTimers;
  const stats = new Stats();
  addProcessStats(stats);
  const metrics = new Metrics(stats, { process: true });
  const sampling = setInterval(() => stats.sample(clock.monoNow()), config.stat_sampling_interval);
  started.add(async () => clearInterval(sampling));
  let serving = false;

  const access = await createAccess(config, log, stats, metrics);
  const limits = validationLimits(config, (task) => executorDataProblem(task));
  const database = await openDatabase(config, log, started);
  await prepareBackupDir(config.backup_dir);
  const holder = randomUUID();
  const { url } = database;
  const ttlMs = config.lease_ttl;
  const lease = new Lease({
    store: new LeaseStore({ ...database, holder, ttlMs }),
    ...{ holder, ttlMs, clock, timers, log },
    onLost: () => {
      database.stopsWithUs = false;
      end(1);
    },
    onRenewed: (seconds) => metrics.leaseRenewSeconds.observe(seconds),
  });
  // Given back last of all: whoever comes next must not wait for what we still write.
  started.add(() => lease.release());
  const epoch = await lease.take().catch((error: unknown) => {
    if (error instanceof AlreadyLedError) database.stopsWithUs = false;
    throw error;
  });
  database.stopsWithUs = true;
  const db = new Database({
    ...{ url, clock, log, holder },
    mayAct: () => lease.mayAct(),
    onFenced: () => {
      metrics.fencedTransactions.inc();
      database.stopsWithUs = false;
      end(1);
    },
  });
  started.add(() => db.close());
  db.lead(epoch);

  const backend = options.backend?.(clock) ?? createBackend(config, log, clock);
  const settings = coordinatorSettings(config);
  const coordinator = new Coordinator({ settings, timers, stats, log });
  const engine = new Engine({
    ...{ db, backend, clock, timers, stats, log },
    random: Math.random,
    settings: engineSettings(config),
    askCoordinator: coordinator.ask,
    // Not 0: a supervisor that restarts only what failed must start us again.
    onReplaced: () => end(1),
  });
  const rpcDeps = {
    ...{ engine, limits, stats, ...access?.forRpc },
    settings: { unknownPulseResponse: config.unknown_pulse_response },
  };
  const service = createAuroraService(
    onlyWhile(() => serving && db.mayAct(), {
      ...createMethods(rpcDeps),
      ...createExtension(rpcDeps),
    }),
    {
      api: auroraShim(),
      serverInfo: { clusterName: config.cluster_name, statsUrlPrefix: config.viz_job_url_prefix },
      log,
      onCall: callCounter(stats, metrics),
      ...access?.forRpc,
      repeated: ['pulseJobUpdate', 'pulseJobUpdates', 'heartbeatJobUpdate'],
    },
  );
  const { heartbeats, updater } = engine;
  metrics.gauge('aurora_pulse_entries', 'Heartbeats kept', () => heartbeats.size);
  metrics.gauge('aurora_job_updates_active', 'Updates that go on', () => updater.registry.size);
  metrics.gauge('aurora_leader_epoch', 'Epoch of the fence', () => db.currentEpoch ?? 0);
  const count = requestCounter(stats, metrics);
  const server = await startHttpServer({
    ip: config.ip,
    port: config.http_port,
    api: createApiHandler({
      ...{ service, count, ...access?.forApi },
      maxBodyBytes: config.http_max_body_size,
      ...(config.enable_cors_for === undefined ? {} : { corsDomain: config.enable_cors_for }),
    }),
    routes: {
      ...operatorRoutes({
        ...{ clusterName: config.cluster_name, stats, metrics },
        leaderStatus: () => (serving && db.mayAct() ? 'LEADING' : 'NO_LEADER'),
        quit: () => end(0),
        abort: options.abort,
        ...access?.forOperators,
      }),
      ...hostRoutes(() => engine.maintenance.overview()),
      ...pendingTasksRoutes(() => engine.scheduling.pendingGroups()),
    },
    ...{ log, count },
  });
  started.add(() => server.close());

  started.add(() => engine.stop());
  started.add(async () => coordinator.close());
  await engine.start();
  const blockerLog = new BlockerLog(engine, log);
  started.add(async () => blockerLog.stop());
  blockerLog.start();
  await lease.advertise({ host: advertisedHost(config), port: server.port, name: 'http' });
  serving = true;
  return {
    port: server.port,
    databaseUrl: url,
    stop: () => stopInOrder(server, started, log),
  };
}

/** Requests under way are answered before the engine they need is stopped. */
async function stopInOrder(server: HttpServer, started: Started, log: Log): Promise<void> {
  await server.close();
  await started.stopAll(log);
}

interface OpenDatabase {
  readonly url: string;
  readonly schemaVersion?: number;
  /**
   * Whether an embedded server ends with this process: if we lead, or nobody does and we started it. The
   * server of another scheduler that leads must outlive us.
   */
  stopsWithUs: boolean;
}

/** A database with the schema this version needs. */
async function openDatabase(config: Config, log: Log, started: Started): Promise<OpenDatabase> {
  const embedded =
    config.database_url === undefined
      ? await startEmbeddedPostgres({
          dataDir: config.data_dir,
          log: (line) => log.info({}, line),
        })
      : undefined;
  const url = config.database_url ?? embedded?.url ?? '';
  const database: OpenDatabase = { url, stopsWithUs: embedded?.running === 'started' };
  started.add(async () => {
    if (database.stopsWithUs) await embedded?.stop();
  });
  const { applied, schemaVersion } = await migrate(url, { mode: config.migrate });
  if (applied.length > 0) log.info({ applied }, 'migrated the database');
  return schemaVersion === undefined ? database : Object.assign(database, { schemaVersion });
}

function createBackend(
  config: Config,
  log: Log,
  clock: ReturnType<typeof systemClock>,
): ClusterBackend {
  const timers = systemTimers;
  const hosts = virtualHosts(config);
  const given = hosts.length === 0 ? {} : { hosts };
  if (config.backend === 'simulated') {
    return new SimulatedBackend(new SimulatedCluster({ clock, timers, ...given }), {
      ...{ clock, timers },
    });
  }
  return new LocalBackend({
    ...{ clock, timers, log },
    stateDir: join(config.data_dir, 'tasks'),
    hostname: advertisedHost(config),
    nosetuid: config.nosetuid,
    ...given,
  });
}

/** Before the engine has started, and past the lease's deadline, every call may be sent again (wire.md S6). */
function onlyWhile(
  serving: () => boolean,
  methods: Readonly<Record<string, RpcMethod>>,
): Readonly<Record<string, RpcMethod>> {
  return Object.fromEntries(
    Object.entries(methods).map(([name, method]): [string, RpcMethod] => [
      name,
      (args, caller) =>
        serving()
          ? method(args, caller)
          : Promise.reject(new TransientError('this scheduler does not lead; try again')),
    ]),
  );
}
