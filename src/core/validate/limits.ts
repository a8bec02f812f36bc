/** The flags that decide what is a valid job (rpc.md §3), with their defaults. */
import type { TaskConfig } from '../model/config.js';
import { AURORA_EXECUTOR_NAME } from '../thermos/refusals.js';
import type { Tiers } from './tiers.js';
import { BUILT_IN_TIERS } from './tiers.js';

export type ContainerType = 'MESOS' | 'DOCKER';

/** A pattern that must match an environment from its first to its last character. */
export interface EnvironmentPattern {
  /** As configured, for messages. */
  readonly text: string;
  readonly whole: RegExp;
}

/** @throws SyntaxError when `text` is no regular expression */
export function environmentPattern(text: string): EnvironmentPattern {
  return { text, whole: new RegExp(`^(?:${text})$`) };
}

/**
 * What keeps a config from being run by AuroraExecutor (T22): a field or JSON path and the rule, or
 * undefined. Called only for configs with that executor, after all other rules and with all fields filled.
 */
export type ExecutorDataProblem = (config: TaskConfig) => string | undefined;

export interface ValidationLimits {
  /** `-max_tasks_per_job` */
  readonly maxTasksPerJob: number;
  /** `-max_update_instance_failures`: ceiling of maxPerInstanceFailures × instanceCount. */
  readonly maxUpdateInstanceFailures: number;
  /** `-allowed_job_environments` */
  readonly allowedJobEnvironments: EnvironmentPattern;
  /** `-allowed_container_types` */
  readonly allowedContainerTypes: ReadonlySet<ContainerType>;
  readonly allowDockerParameters: boolean;
  /** `-default_docker_parameters`: given to docker containers that bring none. */
  readonly defaultDockerParameters: readonly { readonly name: string; readonly value: string }[];
  readonly requireDockerUseExecutor: boolean;
  readonly allowGpuResource: boolean;
  /** `-enable_mesos_fetcher` */
  readonly enableMesosFetcher: boolean;
  readonly allowContainerVolumes: boolean;
  /** `-min_required_instances_for_sla_check` */
  readonly minRequiredInstancesForSlaCheck: number;
  readonly maxSlaDurationSecs: number;
  readonly slaAwareKillNonProd: boolean;
  readonly tiers: Tiers;
  /** Names an executorConfig may have. */
  readonly executors: ReadonlySet<string>;
  /** Given when `-validate_executor_data` is on. */
  readonly executorDataProblem?: ExecutorDataProblem;
}

export const DEFAULT_LIMITS: ValidationLimits = {
  maxTasksPerJob: 4000,
  maxUpdateInstanceFailures: 20_000,
  allowedJobEnvironments: environmentPattern(String.raw`^(prod|devel|test|staging\d*)$`),
  allowedContainerTypes: new Set(['MESOS'] as const),
  allowDockerParameters: false,
  defaultDockerParameters: [],
  requireDockerUseExecutor: true,
  allowGpuResource: false,
  enableMesosFetcher: false,
  allowContainerVolumes: false,
  minRequiredInstancesForSlaCheck: 20,
  maxSlaDurationSecs: 7200,
  slaAwareKillNonProd: false,
  tiers: BUILT_IN_TIERS,
  executors: new Set([AURORA_EXECUTOR_NAME]),
};
