/** A task: one generation of one instance of a job (tasks.md §1, "Task identity"). */
import type { StoredConfig, TaskConfig } from './config.js';
import type { JobKey } from './keys.js';
import type { ScheduleStatus } from './statuses.js';

export interface TaskEvent {
  /** Wall time of the scheduler when it processed the change, ms since the epoch. */
  readonly timestampMs: number;
  readonly status: ScheduleStatus;
  readonly message?: string;
  /** Host name of the scheduler that wrote it. */
  readonly scheduler?: string;
}

export interface Task {
  readonly taskId: string;
  readonly job: JobKey;
  readonly instanceId: number;
  readonly config: StoredConfig;
  readonly status: ScheduleStatus;
  readonly slaveHost?: string;
  readonly slaveId?: string;
  readonly assignedPorts: Readonly<Record<string, number>>;
  /** Runs that ended FAILED in this chain of generations. */
  readonly failureCount: number;
  readonly timesPartitioned: number;
  /** The generation this one replaces. */
  readonly ancestorId?: string;
  /** Never empty, ascending; the first is PENDING or THROTTLED. */
  readonly events: readonly TaskEvent[];
}

/** `role-env-name-instance-uuid` with every character outside [A-Za-z0-9_-] replaced (tasks.md §1). */
export function taskIdFor(job: JobKey, instanceId: number, uuid: string): string {
  const text = [job.role, job.environment, job.name, instanceId, uuid].join('-');
  return text.replace(/[^\w-]/g, '-');
}

/** A task as the API shows it, the IDL's ScheduledTask in its field names; unset members stay unset. */
export function scheduledTask(
  task: Omit<Task, 'config' | 'job'>,
  config: TaskConfig,
): Readonly<Record<string, unknown>> {
  return {
    assignedTask: {
      taskId: task.taskId,
      slaveId: task.slaveId,
      slaveHost: task.slaveHost,
      task: config,
      assignedPorts: task.assignedPorts,
      instanceId: task.instanceId,
    },
    status: task.status,
    failureCount: task.failureCount,
    taskEvents: task.events.map(({ timestampMs, ...event }) => ({
      timestamp: timestampMs,
      ...event,
    })),
    ancestorId: task.ancestorId,
    timesPartitioned: task.timesPartitioned,
  };
}
