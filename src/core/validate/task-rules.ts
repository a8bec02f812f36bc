/** The task rules T3 to T20 of rpc.md §5, each a function from a config to the text of its refusal. */
import type { TaskConfig } from '../model/config.js';
import type { JobKey } from '../model/keys.js';
import { isValidJobKey, jobKeyText } from '../model/keys.js';
import type { ValidationLimits } from './limits.js';
import { IDENTIFIER_RULE, quoted } from './refusals.js';
import { slaPolicyRules } from './sla-policy.js';

/** What rules know beside the config. */
export interface RuleContext {
  readonly limits: ValidationLimits;
  /** As requested; may be anything, even negative. */
  readonly instanceCount: number;
  /** JobConfiguration.key, where there is one. */
  readonly jobKey?: JobKey;
}

/** `config` has its tier and `production` filled in (T2). */
export type TaskRule = (config: TaskConfig, context: RuleContext) => string | undefined;

const tierExists: TaskRule = ({ tier }, { limits }) =>
  tier !== undefined && limits.tiers.tiers.has(tier)
    ? undefined
    : `taskConfig.tier ${quoted(tier)} is not a tier: there are ${[...limits.tiers.tiers.keys()].join(', ')}`;

/** A job under one key with tasks under another would be found by neither (rpc.md §14). */
const jobKeyIsValid: TaskRule = ({ job }, { jobKey }) => {
  if (!isValidJobKey(job)) {
    return `taskConfig.job: role, environment and name each ${IDENTIFIER_RULE}`;
  }
  return jobKey === undefined || jobKeyText(jobKey) === jobKeyText(job)
    ? undefined
    : `taskConfig.job ${jobKeyText(job)} differs from the job's key ${jobKeyText(jobKey)}`;
};

const executorOrDocker: TaskRule = ({ executorConfig, container }) =>
  executorConfig !== undefined || container?.docker !== undefined
    ? undefined
    : 'taskConfig needs an executorConfig or a docker container: neither was given';

const executorHasName: TaskRule = ({ executorConfig }) =>
  executorConfig === undefined || executorConfig.name !== undefined
    ? undefined
    : 'taskConfig.executorConfig.name is missing';

const executorIsKnown: TaskRule = ({ executorConfig }, { limits }) =>
  executorConfig?.name === undefined || limits.executors.has(executorConfig.name)
    ? undefined
    : `taskConfig.executorConfig.name ${quoted(executorConfig.name)} is not a configured executor`;

/** T8 to T10. Only the first of several such constraints counts, and `negated` is not looked at. */
const dedicatedIsOwn: TaskRule = ({ constraints, job }) => {
  const constraint = constraints.find(({ name }) => name === 'dedicated');
  if (constraint === undefined) return undefined;
  const value = constraint.constraint?.value;
  if (value === undefined) return 'taskConfig.constraints: dedicated must be a value constraint';
  const [wanted, ...others] = value.values;
  if (wanted === undefined || others.length > 0) {
    return 'taskConfig.constraints: dedicated must have exactly one value';
  }
  const [owner] = wanted.split('/');
  return owner === '*' || owner === job.role
    ? undefined
    : `taskConfig.constraints: only role ${quoted(owner)} may use hosts dedicated to ${quoted(wanted)}`;
};

const dockerHasImage: TaskRule = ({ container }) =>
  container?.docker === undefined || container.docker.image !== undefined
    ? undefined
    : 'taskConfig.container.docker.image is missing';

const dockerParametersAllowed: TaskRule = ({ container }, { limits }) =>
  container?.docker === undefined ||
  container.docker.parameters.length === 0 ||
  limits.allowDockerParameters
    ? undefined
    : 'taskConfig.container.docker.parameters are not allowed on this cluster';

const dockerHasExecutor: TaskRule = ({ container, executorConfig }, { limits }) =>
  container?.docker === undefined ||
  executorConfig !== undefined ||
  !limits.requireDockerUseExecutor
    ? undefined
    : 'taskConfig.executorConfig is missing: docker containers must use an executor on this cluster';

const containerTypeAllowed: TaskRule = ({ container }, { limits }) => {
  const type = container?.docker === undefined ? 'MESOS' : 'DOCKER';
  return limits.allowedContainerTypes.has(type)
    ? undefined
    : `taskConfig.container: type ${type} is not allowed on this cluster`;
};

const SINGLE_RESOURCES = [
  ['numCpus', 'CPU'],
  ['numGpus', 'GPU'],
  ['ipAddr', 'IP'],
  ['ramMb', 'RAM'],
  ['diskMb', 'disk'],
] as const;

const resourcesAreSingle: TaskRule = ({ resources }) => {
  const repeated = SINGLE_RESOURCES.filter(
    ([member]) => resources.filter((resource) => resource[member] !== undefined).length > 1,
  ).map(([, name]) => name);
  return repeated.length === 0
    ? undefined
    : `taskConfig.resources: more than one value for ${repeated.join(', ')}`;
};

/** The one CPU, RAM and disk value each; none counts as 0. */
const resourcesArePositive: TaskRule = ({ resources }) => {
  for (const [member, name] of [
    ['numCpus', 'num_cpus'],
    ['ramMb', 'ram_mb'],
    ['diskMb', 'disk_mb'],
  ] as const) {
    const sum = resources.reduce((total, resource) => total + (resource[member] ?? 0), 0);
    if (sum <= 0) return `taskConfig.resources: ${name} must exceed 0.0`;
  }
  return undefined;
};

const gpuAllowed: TaskRule = ({ resources }, { limits }) =>
  limits.allowGpuResource || resources.every(({ numGpus }) => numGpus === undefined)
    ? undefined
    : 'taskConfig.resources: GPU resources are not allowed on this cluster';

const fetcherAllowed: TaskRule = ({ mesosFetcherUris }, { limits }) =>
  limits.enableMesosFetcher || mesosFetcherUris.length === 0
    ? undefined
    : 'taskConfig.mesosFetcherUris are not allowed on this cluster';

const volumesAllowed: TaskRule = ({ container }, { limits }) =>
  limits.allowContainerVolumes || (container?.mesos?.volumes ?? []).length === 0
    ? undefined
    : 'taskConfig.container.mesos.volumes are not allowed on this cluster';

/** T3 to T20 in their order. */
export const TASK_RULES: readonly TaskRule[] = [
  tierExists,
  jobKeyIsValid,
  executorOrDocker,
  executorHasName,
  executorIsKnown,
  dedicatedIsOwn,
  dockerHasImage,
  dockerParametersAllowed,
  dockerHasExecutor,
  containerTypeAllowed,
  resourcesAreSingle,
  resourcesArePositive,
  gpuAllowed,
  fetcherAllowed,
  volumesAllowed,
  slaPolicyRules,
];
