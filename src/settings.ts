/** From flags to what each part is built with; and which flags this version cannot honour yet. */
import { readFileSync } from 'node:fs';
import { hostname } from 'node:os';
import type { Config, Surroundings } from './config/flags.js';
import type { ExecutorDataProblem, ValidationLimits } from './core/validate/limits.js';
import { DEFAULT_LIMITS } from './core/validate/limits.js';
import { BUILT_IN_TIERS, parseTierConfig, type Tiers } from './core/validate/tiers.js';
import type { EngineSettings } from './engine/engine.js';
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
    cron: {
      offsetAt: zoneOffset(config.cron_timezone),
      backoff: {
        initialMs: config.cron_start_initial_backoff,
        maxMs: config.cron_start_max_backoff,
      },
    },
    updatePruning: {
      intervalMs: config.job_update_history_pruning_interval,
      pruneThresholdMs: config.job_update_history_pruning_threshold,
      maxPerJob: config.job_update_history_per_job_threshold,
    },
  };
}

export function coordinatorSettings(config: Config): CoordinatorSettings {
  return {
    clusterName: config.cluster_name,
    timeoutMs: config.sla_coordinator_timeout,
    maxParallel: config.max_parallel_coordinated_maintenance,
  };
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
    tiers: config.tier_config === undefined ? BUILT_IN_TIERS : readTiers(config.tier_config),
    ...(validate ? { executorDataProblem: problemOf } : {}),
  };
}

/** Flags set to something this version cannot do: starting anyway would ignore them. */
export function unsupported(config: Config): string[] {
  const wanted: [boolean, string][] = [
    [config.backend === 'kubernetes', '--backend=kubernetes'],
    [
      config.http_authentication_mechanism !== 'NONE',
      `--http_authentication_mechanism=${config.http_authentication_mechanism}`,
    ],
    [config.webhook_config !== undefined, '--webhook_config'],
    [config.custom_executor_config !== undefined, '--custom_executor_config'],
    [config.global_container_mounts.length > 0, '--global_container_mounts'],
    [config.standby_proxy, '--standby_proxy=true'],
  ];
  return wanted.flatMap(([isSet, flag]) => (isSet ? [`${flag} is not supported yet`] : []));
}

/** What to do about flags that have no effect yet (`notYet`), beyond the warning of the parser. */
export function withoutEffect(config: Config): string[] {
  const wantsZooKeeper = config.serverset_path !== undefined || config.zk_endpoints.length > 0;
  return wantsZooKeeper
    ? ['no announcement in ZooKeeper yet: clients must be given the address of this server']
    : [];
}
