/** startJobUpdate and getJobUpdateDiff: the checks that need no stored state (rpc.md §11.1, §10). */
import type { Metadata, TaskConfig } from '../model/config.js';
import type { Range } from '../model/ranges.js';
import { rangesProblem } from '../model/ranges.js';
import type { UpdateSettings } from '../model/update.js';
import type { IsCron } from './cron.js';
import { cronJobProblem } from './cron.js';
import type { ValidationLimits } from './limits.js';
import type { Refusal, Validated } from './refusals.js';
import { error, invalid } from './refusals.js';
import { validateTask } from './task.js';
import type { ApiUpdateSettings } from './update-settings.js';
import { settingsFromApi } from './update-settings.js';

/** The IDL's JobUpdateRequest. */
export interface ApiJobUpdateRequest {
  readonly taskConfig?: TaskConfig;
  readonly instanceCount: number;
  readonly settings?: ApiUpdateSettings;
  /** A set; two entries may have one key. */
  readonly metadata: readonly Metadata[];
}

export interface ValidUpdateRequest {
  readonly config: TaskConfig;
  /** Not negative; the ceiling comes after the no-op check (rpc.md §11.1 row 16). */
  readonly instanceCount: number;
  readonly settings: UpdateSettings;
  readonly metadata: readonly Metadata[];
}

/** Rows 4 and 5. */
function groupSizeProblem({ strategy }: UpdateSettings): string | undefined {
  const sizes = strategy.kind === 'variable' ? strategy.groupSizes : [strategy.groupSize];
  if (strategy.kind === 'variable' && sizes.some((size) => size <= 0)) {
    return 'settings.updateStrategy.varBatchStrategy.groupSizes must all be positive';
  }
  return sizes.reduce((sum, size) => sum + size, 0) > 0
    ? undefined
    : 'settings.updateStrategy: the update would modify nothing, its group size must be positive';
}

/** Rows 4 to 10. */
function settingsProblem(
  settings: UpdateSettings,
  { taskConfig, instanceCount }: ApiJobUpdateRequest,
  limits: ValidationLimits,
): string | undefined {
  const groupSize = groupSizeProblem(settings);
  if (groupSize !== undefined) return groupSize;
  const { maxPerInstanceFailures, maxFailedInstances } = settings;
  if (maxPerInstanceFailures < 0) return 'settings.maxPerInstanceFailures must not be negative';
  if (maxFailedInstances < 0) return 'settings.maxFailedInstances must not be negative';
  if (maxPerInstanceFailures * instanceCount > limits.maxUpdateInstanceFailures) {
    return (
      `settings.maxPerInstanceFailures × instanceCount is ${maxPerInstanceFailures * instanceCount}, ` +
      `more than the ${limits.maxUpdateInstanceFailures} failures this cluster allows`
    );
  }
  if (settings.minWaitInRunningMs < 0) {
    return 'settings.minWaitInInstanceRunningMs must not be negative';
  }
  if (settings.pulseTimeoutMs < 0) return 'settings.blockIfNoPulsesAfterMs must not be negative';
  if (settings.slaAware && taskConfig?.slaPolicy === undefined) {
    return 'settings.slaAware needs taskConfig.slaPolicy';
  }
  return undefined;
}

/** Row 13: what no diff can be made of. */
function diffProblem(instanceCount: number, scope: readonly Range[]): Refusal | undefined {
  if (instanceCount < 0) return error(`instanceCount must not be negative, it is ${instanceCount}`);
  const problem = rangesProblem(scope);
  return problem === undefined ? undefined : error(`settings.updateOnlyTheseInstances: ${problem}`);
}

/**
 * Rows 1 to 13 of rpc.md §11.1 in their order; the rows from 14 on need the store.
 * Null arguments and what breaks the diff are ERROR, everything else is INVALID_REQUEST.
 */
export function validateUpdateRequest(
  request: ApiJobUpdateRequest | undefined,
  limits: ValidationLimits,
  isCron: IsCron = () => false,
): Validated<ValidUpdateRequest> {
  if (request === undefined) return { refusal: error('request must be set') };
  const { taskConfig, instanceCount, metadata } = request;
  if (taskConfig === undefined) return { refusal: error('request.taskConfig must be set') };
  if (!taskConfig.isService) {
    return { refusal: invalid('taskConfig.isService: only services can be updated') };
  }
  if (request.settings === undefined) return { refusal: error('request.settings must be set') };
  const converted = settingsFromApi(request.settings);
  if (converted.refusal !== undefined) return converted;
  const settings = converted.ok;
  const problem = settingsProblem(settings, request, limits);
  if (problem !== undefined) return { refusal: invalid(problem) };
  const task = validateTask(taskConfig, { limits, instanceCount, checkExecutorData: true });
  if (task.refusal !== undefined) return task;
  const refusal =
    cronJobProblem(task.ok.job, isCron) ?? diffProblem(instanceCount, settings.onlyTheseInstances);
  return refusal === undefined
    ? { ok: { config: task.ok, instanceCount, settings, metadata } }
    : { refusal };
}

/** What a diff is made of; an empty scope means every instance. */
export interface ValidDiffRequest {
  readonly config: TaskConfig;
  readonly instanceCount: number;
  readonly scope: readonly Range[];
}

/** getJobUpdateDiff: the task rules without T22, no cron job, what breaks the diff; no rule of the settings. */
export function validateDiffRequest(
  request: ApiJobUpdateRequest | undefined,
  limits: ValidationLimits,
  isCron: IsCron = () => false,
): Validated<ValidDiffRequest> {
  if (request?.taskConfig === undefined) {
    return { refusal: error('request and request.taskConfig must be set') };
  }
  const { taskConfig, instanceCount, settings } = request;
  const task = validateTask(taskConfig, { limits, instanceCount, checkExecutorData: false });
  if (task.refusal !== undefined) return task;
  const cronRefusal = cronJobProblem(task.ok.job, isCron);
  if (cronRefusal !== undefined) return { refusal: cronRefusal };
  if (settings === undefined) return { refusal: error('request.settings must be set') };
  const scope = settings.updateOnlyTheseInstances;
  const refusal = diffProblem(instanceCount, scope);
  return refusal === undefined ? { ok: { config: task.ok, instanceCount, scope } } : { refusal };
}

const MAX_MESSAGE_LENGTH = 1024;

/** The message of start, pause, resume, abort and rollback, in UTF-16 units (rpc.md §1, "Audit texts"). */
export function updateMessageProblem(message: string | undefined): Refusal | undefined {
  return message !== undefined && message.length > MAX_MESSAGE_LENGTH
    ? error(`message may have at most ${MAX_MESSAGE_LENGTH} characters, it has ${message.length}`)
    : undefined;
}
