/** A submit request → the spec a supervisor runs by, or the reason why none can. */
import type { TaskConfig } from '../../core/model/config.js';
import type { TaskPlan } from '../../core/thermos/plan.js';
import { DocumentProblem } from '../../core/thermos/problem.js';
import { planFor } from '../../core/thermos/refusals.js';
import type { HostResources, SubmitRequest } from '../backend.js';
import { LaunchRefusedError } from '../backend.js';
import type { LocalSettings } from './options.js';
import type { TaskSpec } from './task-dir.js';
import { ownName, runUser } from './users.js';

const HTTP_TIMEOUT_MS = 1000;

const NOTHING: TaskPlan = {
  name: '',
  processes: [],
  order: [],
  maxFailures: 1,
  maxConcurrency: 0,
  finalizationWaitSecs: 0,
  ports: {},
  healthCheck: 'none',
  announce: false,
};

/** With a `problem` the spec is only good for the records. */
export async function prepareTask(
  request: SubmitRequest,
  settings: LocalSettings,
): Promise<{ readonly spec: TaskSpec; readonly problem?: string }> {
  const { taskId, config, instanceId, target } = request;
  if (target === undefined)
    throw new LaunchRefusedError(`${taskId}: no target, and the core places`);
  const spec: TaskSpec = {
    taskId,
    plan: NOTHING,
    user: { name: ownName() },
    shell: settings.shell,
    path: settings.path,
    preserveEnv: settings.preserveEnv,
    logger: settings.logger,
    stopTimeoutSecs: settings.stopTimeoutSecs,
    httpTimeoutMs: HTTP_TIMEOUT_MS,
    maxRuns: settings.maxRuns,
    host: target.host,
    assignedPorts: Object.values(target.ports),
    resources: resourcesOf(config),
  };
  try {
    const user = await runUser(config.job.role, settings.nosetuid);
    const context = {
      taskId,
      instanceId,
      hostname: target.host,
      user: user.name,
      assignedPorts: target.ports,
    };
    return { spec: { ...spec, user, plan: planFor(config, context, settings.features) } };
  } catch (error) {
    if (error instanceof DocumentProblem) return { spec, problem: error.message };
    throw error;
  }
}

/** What the task asked for, from its resources and never from the document (thermos.md §1.6). */
function resourcesOf({ resources }: TaskConfig): HostResources {
  const sum = (pick: (resource: TaskConfig['resources'][number]) => number | undefined): number =>
    resources.reduce((total, resource) => total + (pick(resource) ?? 0), 0);
  return {
    cpus: sum(({ numCpus }) => numCpus),
    ramMb: sum(({ ramMb }) => ramMb),
    diskMb: sum(({ diskMb }) => diskMb),
  };
}
