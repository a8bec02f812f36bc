/** The demo's view of the scheduler: the calls a deployer and a monitor make, through the real API. */
import type { ApiResponse } from '../../wire/client.js';
import { AuroraClient } from '../../wire/client.js';
import type { InstanceView } from './screen.js';

export const JOB = { role: 'demo', environment: 'devel', name: 'hello' };
export const INSTANCES = 8;
/** blockIfNoPulsesAfterMs of the demo's update. */
export const PULSE_TIMEOUT_MS = 2_000;

export interface UpdateKey {
  readonly job: typeof JOB;
  readonly id: string;
}

export class DemoCluster {
  private readonly client: AuroraClient;

  constructor(url: string) {
    this.client = new AuroraClient({ url });
  }

  close(): void {
    this.client.close();
  }

  createJob(): Promise<ApiResponse> {
    const description = {
      key: JOB,
      owner: { user: 'demo' },
      taskConfig: taskConfig('1'),
      instanceCount: INSTANCES,
    };
    return this.call('createJob', { description });
  }

  async startUpdate(): Promise<UpdateKey> {
    const settings = {
      updateStrategy: { queueStrategy: { groupSize: 1 } },
      updateGroupSize: 1,
      maxPerInstanceFailures: 0,
      maxFailedInstances: 0,
      minWaitInInstanceRunningMs: 1_000,
      rollbackOnFailure: true,
      blockIfNoPulsesAfterMs: PULSE_TIMEOUT_MS,
    };
    const request = { taskConfig: taskConfig('2'), instanceCount: INSTANCES, settings };
    const response = await this.call('startJobUpdate', { request, message: 'version 2' });
    return response.result?.['startJobUpdateResult']?.['key'] as UpdateKey;
  }

  pulse(key: UpdateKey): Promise<ApiResponse> {
    return this.call('pulseJobUpdate', { key });
  }

  pause(key: UpdateKey, message: string): Promise<ApiResponse> {
    return this.call('pauseJobUpdate', { key, message });
  }

  resume(key: UpdateKey, message: string): Promise<ApiResponse> {
    return this.call('resumeJobUpdate', { key, message });
  }

  killJob(): Promise<ApiResponse> {
    return this.call('killTasks', { job: JOB, message: 'end of the demo' });
  }

  async status(key: UpdateKey): Promise<string> {
    const response = await this.call('getJobUpdateSummaries', { jobUpdateQuery: { key } });
    const summaries = response.result?.['getJobUpdateSummariesResult']?.['updateSummaries'] as {
      state: { status: string };
    }[];
    return summaries[0]?.state.status ?? 'GONE';
  }

  /** The newest task of each instance, ended ones of older generations left out. */
  async instances(): Promise<InstanceView[]> {
    const query = { role: JOB.role, environment: JOB.environment, jobName: JOB.name };
    const response = await this.call('getTasksStatus', { query });
    const tasks = response.result?.['scheduleStatusResult']?.['tasks'] as TaskOnWire[];
    const newest = new Map<number, TaskOnWire>();
    for (const task of tasks) {
      const { instanceId } = task.assignedTask;
      const other = newest.get(instanceId);
      if (other === undefined || firstEvent(task) >= firstEvent(other))
        newest.set(instanceId, task);
    }
    return [...newest.entries()]
      .sort(([a], [b]) => a - b)
      .map(([instanceId, task]) => ({
        instanceId,
        status: task.status,
        isNew: task.assignedTask.task.executorConfig.data.includes(NEW_MARK),
      }));
  }

  private async call(
    method: string,
    args: Readonly<Record<string, unknown>>,
  ): Promise<ApiResponse> {
    const response = await this.client.call(method, args);
    if (response.responseCode !== 'OK') {
      const why = response.details.map((detail) => detail.message).join(', ');
      throw new Error(`${method} answered ${response.responseCode}: ${why}`);
    }
    return response;
  }
}

interface TaskOnWire {
  readonly status: string;
  readonly taskEvents: readonly { readonly timestamp: number }[];
  readonly assignedTask: {
    readonly instanceId: number;
    readonly task: { readonly executorConfig: { readonly data: string } };
  };
}

const firstEvent = (task: TaskOnWire): number => task.taskEvents[0]?.timestamp ?? 0;
const NEW_MARK = 'version 2';

/** A service whose only work is to say which version it is, in the form the Python client writes. */
function taskConfig(version: string): Readonly<Record<string, unknown>> {
  const cmdline = `echo "version ${version}, instance {{mesos.instance}}"; exec sleep 3600`;
  const document = {
    task: {
      processes: [{ name: 'hello', cmdline }],
      constraints: [],
      resources: { cpu: 0.1, ram: 16 * 2 ** 20, disk: 16 * 2 ** 20 },
    },
  };
  return {
    job: JOB,
    owner: { user: 'demo' },
    isService: true,
    maxTaskFailures: 1,
    resources: [{ numCpus: 0.1 }, { ramMb: 16 }, { diskMb: 16 }],
    executorConfig: { name: 'AuroraExecutor', data: JSON.stringify(document) },
  };
}
