/** A task config as rpc.md §5 wants it: rules T1 to T22, and the fields the scheduler fills. */
import type { TaskConfig } from '../model/config.js';
import type { JobKey } from '../model/keys.js';
import { isGoodIdentifier } from '../model/keys.js';
import { AURORA_EXECUTOR_NAME } from '../thermos/refusals.js';
import type { ValidationLimits } from './limits.js';
import type { Validated } from './refusals.js';
import { IDENTIFIER_RULE, invalid, quoted } from './refusals.js';
import { shapeProblem } from './shape.js';
import { TASK_RULES } from './task-rules.js';
import { isProductionTier } from './tiers.js';

export interface TaskValidation {
  readonly limits: ValidationLimits;
  /** As requested, not yet checked. */
  readonly instanceCount: number;
  /** JobConfiguration.key, where there is one: taskConfig.job must equal it. */
  readonly jobKey?: JobKey;
  /** False skips T22: populateJobConfig and getJobUpdateDiff do not look into executor data. */
  readonly checkExecutorData: boolean;
}

/** T2: the default tier where none is set, and `production` from the tier whatever the client sent. */
function withTier(
  config: TaskConfig,
  { tiers, defaultName }: ValidationLimits['tiers'],
): TaskConfig {
  const name = config.tier ?? defaultName;
  const tier = tiers.get(name);
  return { ...config, tier: name, production: tier !== undefined && isProductionTier(tier) };
}

const LINKED_PORTS = ['health', 'http'];

/** T12 and T21, and the container the IDL gives to a config without one. */
function filled(config: TaskConfig, limits: ValidationLimits): TaskConfig {
  const { docker } = config.container ?? {};
  const container =
    docker?.parameters.length === 0
      ? { docker: { ...docker, parameters: limits.defaultDockerParameters } }
      : (config.container ?? { mesos: { volumes: [] } });
  const links = LINKED_PORTS.filter((port) =>
    config.resources.some((resource) => resource.namedPort === port),
  ).map((port) => [port, `http://%host%:%port:${port}%`] as const);
  const taskLinks =
    Object.keys(config.taskLinks).length === 0 ? Object.fromEntries(links) : config.taskLinks;
  return { ...config, container, taskLinks };
}

/** The config as it is stored, compared, counted and returned; or the first rule it breaks. */
export function validateTask(config: TaskConfig, options: TaskValidation): Validated<TaskConfig> {
  const { limits } = options;
  const malformed = shapeProblem(config);
  if (malformed !== undefined) return { refusal: invalid(malformed) };
  if (config.tier !== undefined && !isGoodIdentifier(config.tier)) {
    return { refusal: invalid(`taskConfig.tier ${quoted(config.tier)} ${IDENTIFIER_RULE}`) };
  }
  const tiered = withTier(config, limits.tiers);
  for (const rule of TASK_RULES) {
    const problem = rule(tiered, options);
    if (problem !== undefined) return { refusal: invalid(problem) };
  }
  const ok = filled(tiered, limits);
  if (options.checkExecutorData && ok.executorConfig?.name === AURORA_EXECUTOR_NAME) {
    const problem = limits.executorDataProblem?.(ok);
    if (problem !== undefined) return { refusal: invalid(`taskConfig: ${problem}`) };
  }
  return { ok };
}
