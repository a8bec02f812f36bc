/** The flags that decide what is a valid job (rpc.md §3), with their defaults. */
import type { TaskConfig } from '../model/config.js';
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
 * What is wrong with an executor's document (T22): the JSON path and the rule, or undefined. Called only
 * for configs whose executor is AuroraExecutor; `instanceCount` is what the request asks for.
 */
export type ExecutorDataProblem = (config: TaskConfig, instanceCount: number) => string | undefined;

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

/** The built-in Thermos executor. */
export const AURORA_EXECUTOR = 'AuroraExecutor';

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
  executors: new Set([AURORA_EXECUTOR]),
};
