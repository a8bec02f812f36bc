/** From flags to what each part is built with; and which flags this version cannot honour yet. */
import { readFileSync } from 'node:fs';
import { hostname } from 'node:os';
import type { Config, Surroundings } from './config/flags.js';
import type { VirtualHost } from './config/virtual-hosts.js';
import type { Realm } from './core/access/realm.js';
import { parseRealm } from './core/access/realm.js';
import type { Range } from './core/model/ranges.js';
import type { ExecutorDataProblem, ValidationLimits } from './core/validate/limits.js';
import { DEFAULT_LIMITS } from './core/validate/limits.js';
import { BUILT_IN_TIERS, parseTierConfig, type Tiers } from './core/validate/tiers.js';
import type { EngineSettings } from './engine/engine.js';
import type { SchedulingSettings } from './engine/scheduling/settings.js';
import type { CoordinatorSettings } from './outbound/coordinator.js';
import { defaultDataDir } from './store/embedded.js';
import { zoneOffset } from './time.js';

/** Facts of this process that the defaults of some flags depend on. */
export function surroundings(): Surroundings {
  return { dataDir: defaultDataDir(), isRoot: process.geteuid?.() === 0 };
}

/** The name this machine is known by, to clients and in task events. */
export function advertisedHost(config: Config): string {
  return config.hostname ?? hostname();
}

/** As the reference counts this one: what is beyond the last full minute does not count. */
function wholeMinutes(ms: number): number {
  return ms - (ms % 60_000);
}

export function engineSettings(config: Config): EngineSettings {
  return {
    schedulerHost: advertisedHost(config),
    gateCommitDeadlineMs: config.gate_commit_deadline,
    flapping: {
      thresholdMs: config.flapping_task_threshold,
      initialMs: config.initial_flapping_task_delay,
      maxMs: config.max_flapping_task_delay,
    },
    transientTimeoutMs: config.transient_task_state_timeout,
    initialKillRetryMs: config.initial_task_kill_retry_interval,
    partitionAware: config.partition_aware,
    portRanges: [config.port_range],
    sla: {
      minRequiredInstances: config.min_required_instances_for_sla_check,
      awareKillNonProd: config.sla_aware_kill_non_prod,
      retry: {
        initialMs: config.sla_aware_kill_retry_min_delay,
        maxMs: config.sla_aware_kill_retry_max_delay,
      },
      maxBatchSize: config.sla_aware_action_max_batch_size,
    },
    slaMetrics: {
      intervalMs: config.sla_stat_refresh_interval,
      production: config.sla_prod_metrics,
      nonProduction: config.sla_non_prod_metrics,
    },
    updateAffinity: {
      enabled: config.enable_update_affinity,
      holdMs: wholeMinutes(config.update_affinity_reservation_hold_time),
    },
    scheduling: schedulingSettings(config),
    cron: {
      offsetAt: zoneOffset(config.cron_timezone),
      backoff: {
        initialMs: config.cron_start_initial_backoff,
        maxMs: config.cron_start_max_backoff,
      },
    },
    maintenancePollMs: config.host_maintenance_polling_interval,
    backups: {
      dir: config.backup_dir,
      intervalMs: config.backup_interval,
      maxSaved: config.max_saved_backups,
      clusterName: config.cluster_name,
    },
    reconciliation: {
      initialDelayMs: config.reconciliation_initial_delay,
      scheduleSpreadMs: config.reconciliation_schedule_spread,
      explicitIntervalMs: config.reconciliation_explicit_interval,
      implicitIntervalMs: config.reconciliation_implicit_interval,
      explicitBatchSize: config.reconciliation_explicit_batch_size,
      explicitBatchIntervalMs: config.reconciliation_explicit_batch_interval,
    },
    taskHistory: {
      pruneThresholdMs: config.history_prune_threshold,
      minRetentionMs: config.history_min_retention_threshold,
      maxPerJob: config.history_max_per_job_threshold,
    },
    updatePruning: {
      intervalMs: config.job_update_history_pruning_interval,
      pruneThresholdMs: config.job_update_history_pruning_threshold,
      maxPerJob: config.job_update_history_per_job_threshold,
    },
  };
}

/**
 * The hosts of `--virtual_hosts`, each with ports of its own: they are one machine after all.
 *
 * @throws Error naming the flags when there are not enough ports
 */
export function virtualHosts(config: Config): (VirtualHost & { portRanges: Range[] })[] {
  const hosts = config.virtual_hosts;
  const { first, last } = config.port_range;
  const each = Math.floor((last - first + 1) / hosts.length);
  if (each === 0) {
    throw new Error(`--port_range: fewer ports than there are hosts in --virtual_hosts`);
  }
  return hosts.map((host, at) => {
    const start = first + at * each;
    return { ...host, portRanges: [{ first: start, last: start + each - 1 }] };
  });
}

function schedulingSettings(config: Config): SchedulingSettings {
  return {
    firstDelayMs: config.first_schedule_delay,
    penalty: { initialMs: config.initial_schedule_penalty, maxMs: config.max_schedule_penalty },
    attemptsPerSec: config.max_schedule_attempts_per_sec,
    tasksPerAttempt: config.max_tasks_per_schedule_attempt,
    groupsPerTransaction: config.scheduling_max_batch_size,
    startupSpreadMs: config.max_reschedule_task_delay_on_startup,
    unavailabilityThresholdMs: config.unavailability_threshold,
    preemption: {
      enabled: config.enable_preemptor,
      delayMs: config.preemption_delay,
      searchInitialDelayMs: config.preemption_slot_search_initial_delay,
      searchIntervalMs: config.preemption_slot_search_interval,
      slotHoldMs: config.preemption_slot_hold_time,
      batchSize: config.preemption_reservation_max_batch_size,
      reservationMs: config.offer_reservation_duration,
    },
    tiers: tiersOf(config),
  };
}

export function coordinatorSettings(config: Config): CoordinatorSettings {
  return {
    clusterName: config.cluster_name,
    timeoutMs: config.sla_coordinator_timeout,
    maxParallel: config.max_parallel_coordinated_maintenance,
  };
}

function tiersOf({ tier_config: path }: Config): Tiers {
  return path === undefined ? BUILT_IN_TIERS : readTiers(path);
}

function readTiers(path: string): Tiers {
  try {
    return parseTierConfig(readFileSync(path, 'utf8'));
  } catch (error) {
    throw new Error(`--tier_config=${path}: ${(error as Error).message}`, { cause: error });
  }
}

/**
 * @param problemOf what keeps a config from being run by the backend's executor (T22)
 * @throws Error when the tier file cannot be read or is wrong; it names flag and file
 */
export function validationLimits(config: Config, problemOf: ExecutorDataProblem): ValidationLimits {
  const validate = config.validate_executor_data;
  return {
    ...DEFAULT_LIMITS,
    maxTasksPerJob: config.max_tasks_per_job,
    maxUpdateInstanceFailures: config.max_update_instance_failures,
    allowedJobEnvironments: {
      text: config.allowed_job_environments.text,
      whole: config.allowed_job_environments,
    },
    allowedContainerTypes: new Set(config.allowed_container_types),
    allowDockerParameters: config.allow_docker_parameters,
    defaultDockerParameters: config.default_docker_parameters,
    requireDockerUseExecutor: config.require_docker_use_executor,
    allowGpuResource: config.allow_gpu_resource,
    enableMesosFetcher: config.enable_mesos_fetcher,
    allowContainerVolumes: config.allow_container_volumes,
    minRequiredInstancesForSlaCheck: config.min_required_instances_for_sla_check,
    maxSlaDurationSecs: config.max_sla_duration_secs / 1000,
    slaAwareKillNonProd: config.sla_aware_kill_non_prod,
    tiers: tiersOf(config),
    ...(validate ? { executorDataProblem: problemOf } : {}),
  };
}

/** How callers of `/api` prove who they are, and what they may do then. */
export interface AccessSettings extends Realm {
  /** `-shiro_after_auth_filter`. */
  readonly afterAuthPath?: string;
}

/** `file:` is dropped; Shiro's other prefixes name places that are only in a JVM. */
function iniPath(flag: string, path: string): string {
  const [, prefix, rest = ''] = /^(file|classpath|url):(.*)$/s.exec(path) ?? [];
  if (prefix === undefined) return path;
  if (prefix === 'file') return rest;
  throw new Error(`${flag}: only a path of a file, with or without file: before it, can be read`);
}

/**
 * Undefined while authentication is off.
 *
 * @throws Error when the INI cannot be read or is wrong; it names flag, file, line and rule
 */
export function accessSettings(config: Config): AccessSettings | undefined {
  const { http_authentication_mechanism: mechanism, shiro_ini_path: path = '' } = config;
  if (mechanism === 'NONE') return undefined;
  const flag = `--shiro_ini_path=${path}`;
  const file = iniPath(flag, path);
  const { shiro_after_auth_filter: afterAuthPath } = config;
  try {
    const realm = parseRealm(readFileSync(file, 'utf8'));
    return afterAuthPath === undefined ? realm : { ...realm, afterAuthPath };
  } catch (error) {
    throw new Error(`${flag}: ${(error as Error).message}`, { cause: error });
  }
}

/** What of security is wanted and not there. */
function unsupportedSecurity(config: Config): string[] {
  const { http_authentication_mechanism: mechanism, shiro_realm_modules: realms } = config;
  if (mechanism === 'NONE') return [];
  if (mechanism === 'NEGOTIATE') {
    return [
      '--http_authentication_mechanism=NEGOTIATE needs the optional package kerberos, which this ' +
        'version does not come with; use BASIC',
    ];
  }
  const found: string[] = [];
  if (realms.includes('KERBEROS5_AUTHN')) {
    found.push('--shiro_realm_modules=KERBEROS5_AUTHN goes with NEGOTIATE, which is not supported');
  }
  if (!realms.includes('INI_AUTHNZ')) {
    found.push('--http_authentication_mechanism=BASIC needs INI_AUTHNZ in --shiro_realm_modules');
  }
  return found;
}

/** Flags set to something this version cannot do: starting anyway would ignore them. */
export function unsupported(config: Config): string[] {
  const wanted: [boolean, string][] = [
    [config.backend === 'kubernetes', '--backend=kubernetes'],
    [config.webhook_config !== undefined, '--webhook_config'],
    [config.custom_executor_config !== undefined, '--custom_executor_config'],
    [config.global_container_mounts.length > 0, '--global_container_mounts'],
    [config.standby_proxy, '--standby_proxy=true'],
  ];
  return [
    ...unsupportedSecurity(config),
    ...wanted.flatMap(([isSet, flag]) => (isSet ? [`${flag} is not supported yet`] : [])),
  ];
}

/** What to say of flags that have no effect, yet or here, beyond the warning of the parser. */
export function withoutEffect(config: Config): string[] {
  const found: string[] = [];
  if (config.serverset_path !== undefined || config.zk_endpoints.length > 0) {
    found.push(
      'no announcement in ZooKeeper yet: clients must be given the address of this server',
    );
  }
  if (config.http_authentication_mechanism === 'NONE' && config.shiro_ini_path !== undefined) {
    found.push(
      '--shiro_ini_path is not read with --http_authentication_mechanism=NONE: everybody may do everything',
    );
  }
  return found;
}
