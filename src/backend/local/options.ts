/** What a LocalBackend is built from. */
import { existsSync } from 'node:fs';
import { hostname } from 'node:os';
import { join, resolve } from 'node:path';
import type { LoggerPlan } from '../../core/thermos/plan.js';
import { MAX_RUNS } from '../../core/thermos/planner.js';
import type { ExecutorFeatures } from '../../core/thermos/refusals.js';
import type { Clock, Timers } from '../../time.js';
import type { HostResources } from '../backend.js';
import { silentLog, type DriverLog } from '../supervised.js';
import type { LocalHost } from './host.js';

export interface LocalBackendOptions {
  /**
   * Directory of this backend, made if missing. Tasks that run as other users need every directory above it to
   * be searchable by them.
   */
  readonly stateDir: string;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly log?: DriverLog;
  /** Advertised host name; default the machine's. */
  readonly hostname?: string;
  /** Every task as the shim's own user (thermos.md §2.7); default: true unless the shim is root. */
  readonly nosetuid?: boolean;
  /** What is announced of the machine; default what it has. */
  readonly total?: Partial<HostResources>;
  /** Names the machine goes by instead of `hostname`, each a host of its own to the core. */
  readonly hosts?: readonly LocalHost[];
  readonly features?: Pick<ExecutorFeatures, 'announce'>;
  /** The reference executor's flags: `--preserve_env`, `--runner-logger-*`, `--stop_timeout_in_secs`. */
  readonly preserveEnv?: boolean;
  readonly logger?: LoggerPlan;
  readonly stopTimeoutSecs?: number;
  /** Runs of one process after which it has failed; default 100. */
  readonly maxRuns?: number;
  /** PATH of the processes; default the shim's. */
  readonly path?: string;
  /** Compiled supervisor-main; default the one beside this file, or the last build of it. */
  readonly supervisorPath?: string;
  /** Ended tasks whose directories are kept, at most, and for how long; default 200 and a week. */
  readonly keepEnded?: number;
  readonly keepEndedMs?: number;
  /** How often every live task is looked at, whether or not it had news; default 2 s. */
  readonly pollMs?: number;
  /** Delays before an event is told again (see EventDelivery). */
  readonly firstRetryMs?: number;
  readonly maxRetryMs?: number;
}

export type LocalSettings = Required<Omit<LocalBackendOptions, 'total'>> & {
  readonly shell: string;
};

const WEEK_MS = 7 * 24 * 3600 * 1000;

export function settingsOf(given: LocalBackendOptions): LocalSettings {
  const { total = {}, ...options } = given;
  const name = options.hostname ?? hostname();
  return {
    log: silentLog,
    hostname: name,
    hosts: [{ host: name, total }],
    nosetuid: process.getuid?.() !== 0,
    features: {},
    preserveEnv: false,
    logger: {
      destination: 'file',
      mode: 'standard',
      rotate: { logSize: 100 * 1024 * 1024, backups: 5 },
    },
    stopTimeoutSecs: 120,
    maxRuns: MAX_RUNS,
    path: process.env['PATH'] ?? '/usr/local/bin:/usr/bin:/bin',
    supervisorPath: defaultSupervisor(),
    keepEnded: 200,
    keepEndedMs: WEEK_MS,
    pollMs: 2000,
    firstRetryMs: 200,
    maxRetryMs: 30_000,
    // thermos.md §2.5 asks for bash; a machine without it gets its plain shell, which knows less.
    shell: existsSync('/bin/bash') ? '/bin/bash' : '/bin/sh',
    ...options,
    stateDir: resolve(options.stateDir),
  };
}

/** In a build it lies beside this file; TypeScript that runs unbuilt (tests) takes the last build's. */
function defaultSupervisor(): string {
  const beside = join(__dirname, 'supervisor-main.js');
  return existsSync(beside)
    ? beside
    : join(__dirname, '../../../dist/src/backend/local/supervisor-main.js');
}
