/**
 * A scheduler process with its users: a deployer and a monitor who speak Thrift over HTTP, an operator with
 * psql, and somebody at the machine who looks at processes and kills some.
 */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { Client } from 'pg';
import { until as waitUntil } from '../backend/support/wait';
import type { TestDatabase } from '../support/database';
import { createTestDatabase } from '../support/database';
import { ServerProcess } from '../support/server-process';
import type { ApiResponse, AuroraClient } from '../../src/wire/client';

export interface JobKey {
  readonly role: string;
  readonly environment: string;
  readonly name: string;
}

export interface UpdateKey {
  readonly job: JobKey;
  readonly id: string;
}

/** A task that has not ended. */
export interface LiveTask {
  readonly instanceId: number;
  readonly taskId: string;
  readonly status: string;
  readonly version: string;
  readonly pid: number;
}

export interface UpdateRequest {
  readonly version: string;
  /** P; 0 for an update that is not coordinated. */
  readonly pulseMs?: number;
  readonly message?: string;
  readonly cmdline?: string;
  readonly instanceCount?: number;
  readonly groupSize?: number;
}

export interface History {
  /** `STATUS(user/message)`, `–` for what is unset. */
  readonly updateEvents: readonly string[];
  /** By instance; INSTANCE_UPDATING as `upd`, INSTANCE_UPDATED as `ok`. */
  readonly instanceEvents: Readonly<Record<number, readonly string[]>>;
}

export const WEB: JobKey = { role: 'web', environment: 'test', name: 'web' };
/** A job whose updates nobody coordinates: one that has run to its end is how these tests tell time. */
const WITNESS: JobKey = { role: 'web', environment: 'test', name: 'witness' };
export const INSTANCES = 2;
/** minWaitInInstanceRunningMs. */
const WATCH_MS = 300;
const LIMIT_MS = 60_000;
const ENDED = ['FINISHED', 'FAILED', 'KILLED', 'LOST'];

/** Deadline for anything that happens by itself, on a machine that does other things meanwhile. */
export function until<T>(
  what: string,
  condition: () => Promise<T | undefined | false>,
): Promise<T> {
  return waitUntil(what, condition, LIMIT_MS);
}

interface TaskOnWire {
  readonly status: string;
  readonly assignedTask: {
    readonly taskId: string;
    readonly instanceId: number;
    readonly task: { readonly executorConfig: { readonly data: string } };
  };
}

interface EventOnWire {
  readonly status: string;
  readonly user?: string;
  readonly message?: string;
}

export class Cluster {
  private api: AuroraClient | undefined;
  private operator: Client | undefined;
  private witnessVersion = 1;

  private constructor(
    readonly server: ServerProcess,
    private readonly database: TestDatabase | undefined,
  ) {}

  /** A server that serves, on a test database unless it is to run an embedded Postgres of its own. */
  static async start(
    options: { readonly embedded?: boolean; readonly flags?: readonly string[] } = {},
  ): Promise<Cluster> {
    const { embedded = false, flags = [] } = options;
    const database = embedded ? undefined : await createTestDatabase();
    const given = database === undefined ? {} : { databaseUrl: database.url };
    const cluster = new Cluster(new ServerProcess({ ...given, flags }), database);
    try {
      await cluster.server.start();
    } catch (error) {
      await cluster.close();
      throw error;
    }
    return cluster;
  }

  /** The scheduler crashes and is started again. */
  async crash(): Promise<void> {
    await this.kill9();
    await this.restart();
  }

  async kill9(): Promise<void> {
    this.api = undefined;
    await this.server.kill9();
  }

  async restart(): Promise<void> {
    this.api = undefined;
    await this.server.start();
  }

  /** Closes psql. */
  async stopLooking(): Promise<void> {
    await this.operator?.end();
    this.operator = undefined;
  }

  async close(): Promise<void> {
    await this.stopLooking();
    await this.server.close();
    await this.database?.drop();
  }

  // --------------------------------------------------------------------------------------------- deployer

  /** Any call, whatever it is answered. */
  ask(method: string, args: Readonly<Record<string, unknown>>): Promise<ApiResponse> {
    this.api ??= this.server.client();
    return this.api.call(method, args);
  }

  async createJob(key: JobKey, cmdline: string, instanceCount = INSTANCES): Promise<void> {
    const description = {
      ...{ key, owner: { user: 'deployer' }, instanceCount },
      taskConfig: taskConfig(key, '1', cmdline),
    };
    await this.call('createJob', { description });
    await until(`${key.name} runs`, async () => (await this.live(key)).every(isRunning));
  }

  async startUpdate(
    job: JobKey,
    { version, pulseMs = 0, message, ...more }: UpdateRequest,
  ): Promise<UpdateKey> {
    const { cmdline = OBEDIENT, instanceCount = INSTANCES, groupSize = 1 } = more;
    const settings = {
      updateStrategy: { queueStrategy: { groupSize } },
      ...{ updateGroupSize: groupSize, maxPerInstanceFailures: 0, maxFailedInstances: 0 },
      ...{ minWaitInInstanceRunningMs: WATCH_MS, rollbackOnFailure: true },
      ...(pulseMs === 0 ? {} : { blockIfNoPulsesAfterMs: pulseMs }),
    };
    const config = taskConfig(job, version, cmdline);
    const request = { taskConfig: config, instanceCount, settings };
    const result = await this.call('startJobUpdate', { request, message });
    return result['startJobUpdateResult']?.['key'] as UpdateKey;
  }

  async pause(key: UpdateKey, message: string): Promise<void> {
    await this.call('pauseJobUpdate', { key, message });
  }

  async resume(key: UpdateKey, message: string): Promise<void> {
    await this.call('resumeJobUpdate', { key, message });
  }

  /** The update's status as clients are told. */
  async view(key: UpdateKey): Promise<string> {
    const result = await this.call('getJobUpdateSummaries', { jobUpdateQuery: { key } });
    const summaries = result['getJobUpdateSummariesResult']?.['updateSummaries'] as {
      state: { status: string };
    }[];
    return summaries[0]?.state.status ?? 'none';
  }

  async history(key: UpdateKey): Promise<History> {
    const result = await this.call('getJobUpdateDetails', { query: { key } });
    const [details] = result['getJobUpdateDetailsResult']?.['detailsList'] as {
      updateEvents: EventOnWire[];
      instanceEvents: { instanceId: number; action: string }[];
    }[];
    if (details === undefined) throw new Error('the update is gone');
    const instanceEvents: Record<number, string[]> = {};
    for (const { instanceId, action } of details.instanceEvents) {
      (instanceEvents[instanceId] ??= []).push(SHORT[action] ?? action);
    }
    return { updateEvents: details.updateEvents.map(eventText), instanceEvents };
  }

  /** Tasks that have not ended, by instance, each with the process that it is. */
  async live(key: JobKey): Promise<LiveTask[]> {
    const tasks = (await this.tasks(key)).filter(({ status }) => !ENDED.includes(status));
    return tasks
      .map(({ status, assignedTask: { taskId, instanceId, task } }) => ({
        ...{ instanceId, taskId, status, version: versionOf(task.executorConfig.data) },
        pid: isStarted(status) ? this.server.taskPid(taskId) : 0,
      }))
      .sort((a, b) => a.instanceId - b.instanceId);
  }

  /** Status of a task by its id; `none` when it is not there any more. */
  async statusOf(key: JobKey, taskId: string): Promise<string> {
    const tasks = await this.tasks(key);
    return tasks.find(({ assignedTask }) => assignedTask.taskId === taskId)?.status ?? 'none';
  }

  /** The task of this instance, once its process has been told to end; for STUBBORN ones. */
  beingKilled(key: JobKey, instanceId: number): Promise<LiveTask> {
    return until(`instance ${instanceId} is told to end`, async () => {
      const task = (await this.live(key)).find((one) => one.instanceId === instanceId);
      if (task?.status !== 'KILLING') return undefined;
      return existsSync(join(this.server.sandbox(task.taskId), TOLD)) && task;
    });
  }

  // ---------------------------------------------------------------------------------------------- monitor

  async pulse(key: UpdateKey): Promise<string> {
    const result = await this.call('pulseJobUpdate', { key });
    return result['pulseJobUpdateResult']?.['status'] as string;
  }

  /** Pulses until the update has reached this status. */
  async pulseUntil(key: UpdateKey, status: string): Promise<void> {
    await until(`the update is ${status}`, async () => {
      await this.pulse(key);
      return (await this.view(key)) === status;
    });
  }

  // --------------------------------------------------------------------------------------------- the clock

  async startWitness(): Promise<void> {
    await this.createJob(WITNESS, OBEDIENT);
  }

  /**
   * A whole update of another job: kills, starts, watches. Whoever wanted to act in this time could have.
   */
  async letTimePass(): Promise<void> {
    const version = String(++this.witnessVersion);
    const key = await this.startUpdate(WITNESS, { version });
    await until('the witness is updated', async () => (await this.view(key)) === 'ROLLED_FORWARD');
  }

  witness(): Promise<LiveTask[]> {
    return this.live(WITNESS);
  }

  // --------------------------------------------------------------------------------------------- operator

  async sql(text: string, values: readonly unknown[] = []): Promise<Record<string, unknown>[]> {
    if (this.operator === undefined) {
      this.operator = new Client({ connectionString: this.server.databaseUrl });
      await this.operator.connect();
    }
    return (await this.operator.query<Record<string, unknown>>(text, [...values])).rows;
  }

  async storedEvents(key: UpdateKey): Promise<string[]> {
    const rows = await this.sql(
      'SELECT status, user_name AS user, message FROM job_update_events WHERE update_id = $1 ORDER BY id',
      [key.id],
    );
    return (rows as unknown as EventOnWire[]).map(eventText);
  }

  private tasks({ role, environment, name }: JobKey): Promise<TaskOnWire[]> {
    const query = { role, environment, jobName: name };
    return this.call('getTasksStatus', { query }).then(
      (result) => result['scheduleStatusResult']?.['tasks'] as TaskOnWire[],
    );
  }

  private async call(
    method: string,
    args: Readonly<Record<string, unknown>>,
  ): Promise<NonNullable<ApiResponse['result']>> {
    const { responseCode, details, result } = await this.ask(method, args);
    if (responseCode === 'OK') return result ?? {};
    throw new Error(`${method}: ${responseCode} ${details.map((one) => one.message).join(', ')}`);
  }
}

export const isRunning = ({ status }: LiveTask): boolean => status === 'RUNNING';
const isStarted = (status: string): boolean => ['RUNNING', 'KILLING'].includes(status);

const eventText = ({ status, user, message }: EventOnWire): string =>
  `${status}(${user ?? '–'}/${message ?? '–'})`;

const SHORT: Readonly<Record<string, string>> = {
  INSTANCE_UPDATING: 'upd',
  INSTANCE_UPDATED: 'ok',
};

const TOLD = 'told-to-end';
/** Ends when it is asked to. */
export const OBEDIENT = 'exec sleep 3600';
/** Notes that it was asked to end and ends only when the test kills it: a kill takes as long as a test wants. */
export const STUBBORN = `trap 'touch ${TOLD}' TERM; while :; do sleep 0.1; done`;

const versionOf = (data: string): string =>
  (JSON.parse(data) as { task: { name: string } }).task.name;

function taskConfig(
  job: JobKey,
  version: string,
  cmdline: string,
): Readonly<Record<string, unknown>> {
  const document = {
    task: {
      name: version,
      processes: [{ name: 'only', cmdline }],
      constraints: [],
      finalization_wait: 600,
      resources: { cpu: 0.01, ram: 2 ** 20, disk: 2 ** 20 },
    },
  };
  return {
    ...{ job, owner: { user: 'deployer' }, isService: true, maxTaskFailures: 1 },
    resources: [{ numCpus: 0.01 }, { ramMb: 1 }, { diskMb: 1 }],
    executorConfig: { name: 'AuroraExecutor', data: JSON.stringify(document) },
  };
}
