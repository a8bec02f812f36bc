/** What is refused at submission instead of failing at start: rpc.md §5 T22, thermos.md §1.7 and §5. */
import type { TaskConfig } from '../model/config.js';
import { readPlan, type RunContext } from './document.js';
import type { TaskPlan } from './plan.js';
import { DocumentProblem } from './problem.js';

/** The executor name that means Thermos (IDL constant AURORA_EXECUTOR_NAME). */
export const AURORA_EXECUTOR_NAME = 'AuroraExecutor';

/** What the backend can do beyond running processes; what is not set is refused, never ignored. */
export interface ExecutorFeatures {
  /** HTTP and shell health checks (thermos.md §3.1). */
  readonly healthChecks?: boolean;
  /**
   * `ignore`: tasks with an `announce` object run, with their port aliases, and are not announced, as with a
   * reference executor that knows no ZooKeeper ensemble (thermos.md §3.3). Default `refuse`.
   */
  readonly announce?: 'refuse' | 'ignore';
}

/**
 * The rule this config breaks, with the JSON path or field where it does, or undefined. Instance, host, task
 * id and port numbers are not known yet; stand-ins take their place.
 */
export function executorDataProblem(
  config: TaskConfig,
  features: ExecutorFeatures = {},
): string | undefined {
  const sample: RunContext = {
    taskId: 'task',
    instanceId: 0,
    hostname: 'localhost',
    user: config.job.role,
    assignedPorts: Object.fromEntries(
      config.resources.flatMap(({ namedPort }, at) =>
        namedPort === undefined ? [] : [[namedPort, 31000 + (at % 1000)]],
      ),
    ),
  };
  try {
    planFor(config, sample, features);
    return undefined;
  } catch (error) {
    if (error instanceof DocumentProblem) return error.message;
    throw error;
  }
}

/** The plan of a task of this config, or a DocumentProblem for whatever cannot be run as asked. */
export function planFor(
  config: TaskConfig,
  context: RunContext,
  features: ExecutorFeatures = {},
): TaskPlan {
  refuseForms(config);
  const plan = inData(() => readPlan(config.executorConfig?.data ?? '', context));
  if (plan.healthCheck === 'shell' && features.healthChecks !== true) {
    throw new DocumentProblem(
      'F4',
      'executorConfig.data $.health_check_config.health_checker.shell',
      'shell health checks are not supported yet',
    );
  }
  if (plan.healthCheck === 'http' && features.healthChecks !== true) {
    throw new DocumentProblem(
      'F4',
      'executorConfig.data $.health_check_config',
      'a port named health asks for HTTP health checks, which are not supported yet',
    );
  }
  if (plan.announce && features.announce !== 'ignore') {
    throw new DocumentProblem(
      'F5',
      'executorConfig.data $.announce',
      'announcing in ZooKeeper is not supported yet',
    );
  }
  return plan;
}

/** What is outside the document: container forms, devices, URIs, other executors (thermos.md §4, §5). */
function refuseForms(config: TaskConfig): void {
  const { container, executorConfig } = config;
  if (container?.docker !== undefined) {
    throw new DocumentProblem('F8', 'container.docker', 'containers are not supported yet');
  }
  if (container?.mesos?.image !== undefined) {
    throw new DocumentProblem('F8', 'container.mesos.image', 'images are not supported yet');
  }
  if (container !== undefined && (container.mesos?.volumes.length ?? 0) > 0) {
    throw new DocumentProblem('F8', 'container.mesos.volumes', 'volumes are not supported yet');
  }
  if (config.resources.some((resource) => (resource.numGpus ?? 0) > 0)) {
    throw new DocumentProblem('F6', 'resources.numGpus', 'no GPU is available');
  }
  const [uri] = config.mesosFetcherUris;
  if (uri !== undefined) {
    throw new DocumentProblem(
      'F7',
      'mesosFetcherUris',
      `cannot fetch ${uri.value ?? ''}: fetching is not supported yet`,
    );
  }
  if (executorConfig?.name !== AURORA_EXECUTOR_NAME) {
    throw new DocumentProblem(
      'F0',
      'executorConfig.name',
      `only ${AURORA_EXECUTOR_NAME} can be run here`,
    );
  }
}

/** Says of a document's problem that its path leads into the document. */
function inData<T>(work: () => T): T {
  try {
    return work();
  } catch (error) {
    if (!(error instanceof DocumentProblem)) throw error;
    throw new DocumentProblem(error.code, `executorConfig.data ${error.path}`, error.rule);
  }
}
