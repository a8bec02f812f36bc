/**
 * Maintenance as administrators do it: over HTTP, on two hosts that are one machine, with real processes;
 * and BACKEND-008 for both backends.
 */
import { join } from 'node:path';
import { TaskDir, taskHash } from '../../src/backend/local/task-dir';
import { until as waitUntil } from '../backend/support/wait';
import type { TestApp } from '../support/app';
import { startTestApp } from '../support/app';
import { lives } from '../support/server-process';

jest.setTimeout(180_000);

const KEY = { role: 'web', environment: 'test', name: 'app' };
const LIMIT_MS = 60_000;
const INTERVAL = '--host_maintenance_polling_interval=1secs';
const HOSTS = '--virtual_hosts=a:rack=r1:cpus=4:ram=1GB,b:rack=r2';
const ENDED = ['FINISHED', 'FAILED', 'KILLED', 'LOST'];

interface TaskOnWire {
  readonly status: string;
  readonly assignedTask: {
    readonly taskId: string;
    readonly instanceId: number;
    readonly slaveHost?: string;
    readonly assignedPorts: Readonly<Record<string, number>>;
  };
}

class Admin {
  constructor(private readonly app: TestApp) {}

  private async call(method: string, args: Record<string, unknown>): Promise<Result> {
    const client = this.app.client();
    const { responseCode, details, result } = await client.call(method, args);
    client.close();
    if (responseCode === 'OK') return result ?? {};
    throw new Error(`${method}: ${responseCode} ${details.map((one) => one.message).join()}`);
  }

  /** A service of these instances, each with a port. */
  async createJob(instanceCount: number, name = KEY.name): Promise<void> {
    const key = { ...KEY, name };
    const task = {
      processes: [{ name: 'only', cmdline: 'exec sleep 3600' }],
      resources: { cpu: 0.01, ram: 2 ** 20, disk: 2 ** 20 },
    };
    const taskConfig = {
      ...{ job: key, owner: { user: 'deployer' }, isService: true, maxTaskFailures: 1 },
      resources: [{ numCpus: 0.01 }, { ramMb: 1 }, { diskMb: 1 }, { namedPort: 'http' }],
      executorConfig: { name: 'AuroraExecutor', data: JSON.stringify({ task }) },
    };
    const description = { key, owner: { user: 'deployer' }, taskConfig, instanceCount };
    await this.call('createJob', { description });
  }

  /** A verb or maintenanceStatus: mode by host. */
  async hosts(method: string, ...hostNames: string[]): Promise<Record<string, string>> {
    const result = await this.call(method, { hosts: { hostNames } });
    const [member] = Object.values(result) as { statuses: { host: string; mode: string }[] }[];
    return Object.fromEntries((member?.statuses ?? []).map(({ host, mode }) => [host, mode]));
  }

  async live(name = KEY.name): Promise<TaskOnWire[]> {
    const query = { role: KEY.role, environment: KEY.environment, jobName: name };
    const { scheduleStatusResult } = await this.call('getTasksStatus', { query });
    const tasks = scheduleStatusResult?.['tasks'] as TaskOnWire[];
    return tasks.filter(({ status }) => !ENDED.includes(status));
  }

  /** All instances run, on these hosts alone. */
  runOn(...hosts: string[]): Promise<TaskOnWire[]> {
    return waitUntil(
      `all run on ${hosts.join()}`,
      async () => {
        const tasks = await this.live();
        const isThere = ({ status, assignedTask }: TaskOnWire): boolean =>
          status === 'RUNNING' && hosts.includes(assignedTask.slaveHost ?? '');
        return tasks.length === 2 && tasks.every(isThere) && tasks;
      },
      LIMIT_MS,
    );
  }

  async reasons(): Promise<string[]> {
    const result = await this.call('getPendingReason', { query: { role: KEY.role } });
    const reasons = result['getPendingReasonResult']?.['reasons'] as { reason: string }[];
    return reasons.map(({ reason }) => reason);
  }
}

type Result = Readonly<Record<string, Readonly<Record<string, unknown>>>>;

function pidOf(app: TestApp, { assignedTask }: TaskOnWire): number {
  const dir = new TaskDir(join(app.config.data_dir, 'tasks'), taskHash(assignedTask.taskId));
  return dir.readRuns().flatMap((run) => (run.type === 'start' ? [run.pid ?? NaN] : []))[0] ?? NaN;
}

test('a drained host is left by its processes, which come up on the other; endMaintenance brings it back', async () => {
  await using app = await startTestApp({
    ...{ backend: 'local', flags: [HOSTS, '--flapping_task_threshold=0secs'] },
  });
  const admin = new Admin(app);
  // b comes last now, so that everything is on a.
  expect(await admin.hosts('startMaintenance', 'b')).toEqual({ b: 'SCHEDULED' });
  await admin.createJob(2);
  const before = await admin.runOn('a');
  const pids = before.map((task) => pidOf(app, task));
  expect(pids.every(lives)).toBe(true);

  const answer = await admin.hosts('drainHosts', 'a', 'nobody');
  expect(Object.keys(answer)).toEqual(['a']);
  const after = await admin.runOn('b');
  await waitUntil('a is drained', async () => {
    const modes = await admin.hosts('maintenanceStatus', 'a', 'b');
    return modes['a'] === 'DRAINED' && modes['b'] === 'SCHEDULED';
  });
  expect(pids.filter(lives)).toEqual([]);
  expect(after.map((task) => pidOf(app, task)).every(lives)).toBe(true);
  const ports = (tasks: TaskOnWire[]): number[] =>
    tasks.map(({ assignedTask }) => assignedTask.assignedPorts['http'] ?? NaN);
  // The two have halves of 31000-32000.
  expect(ports(before).every((port) => port < 31_500)).toBe(true);
  expect(ports(after).every((port) => port >= 31_500)).toBe(true);

  expect(await admin.hosts('endMaintenance', 'a')).toEqual({ a: 'NONE' });
  await admin.hosts('drainHosts', 'b');
  await admin.runOn('a');
});

test('slaDrainHosts waits for the next look, and the flag says when that is', async () => {
  await using app = await startTestApp({ flags: ['--virtual_hosts=a,b', INTERVAL] });
  const admin = new Admin(app);
  await admin.hosts('startMaintenance', 'b');
  await admin.createJob(2);
  await admin.runOn('a');
  await admin.hosts('slaDrainHosts', 'a');
  // Without a timeout nothing is spared.
  await admin.runOn('b');
  await waitUntil('a is drained', async () => {
    return (await admin.hosts('maintenanceStatus', 'a'))['a'] === 'DRAINED';
  });
});

test('OPS-048 /maintenance and /agents show hosts, modes and what a drain still waits for', async () => {
  await using app = await startTestApp({ flags: ['--virtual_hosts=b:rack=<r>:rack=r2,a,c'] });
  const admin = new Admin(app);
  const page = async (path: string): Promise<string> => (await fetch(app.url + path)).text();
  const shown = async (): Promise<unknown> => JSON.parse(await page('/maintenance')) as unknown;
  await admin.hosts('startMaintenance', 'b', 'c');
  await admin.createJob(2);
  await admin.runOn('a');
  await admin.hosts('endMaintenance', 'b', 'c');
  expect(await shown()).toEqual({ SCHEDULED: [], DRAINED: [], DRAINING: {} });
  await admin.hosts('startMaintenance', 'b');
  await admin.hosts('drainHosts', 'c');
  await admin.hosts('slaDrainHosts', 'a');
  const ids = (await admin.live()).map(({ assignedTask }) => assignedTask.taskId).sort();
  expect(await shown()).toEqual({ SCHEDULED: ['b'], DRAINED: ['c'], DRAINING: { a: ids } });
  await admin.hosts('slaDrainHosts', 'c');
  // One without tasks is left out.
  expect(await shown()).toEqual({ SCHEDULED: ['b'], DRAINED: [], DRAINING: { a: ids } });
  const agents = await page('/agents');
  expect(agents).toContain(
    '<td><a href="http://b:1338">b</a></td><td>agent-b</td><td>SCHEDULED</td>' +
      '<td>host=[b], rack=[&lt;r&gt;,r2]</td>',
  );
  expect(await page('/slaves')).toBe(agents);
});

test.each(['simulated', 'local'] as const)(
  'BACKEND-008 %s: no task is placed on a host that drains, and it is told why',
  async (backend) => {
    await using app = await startTestApp({ backend, flags: ['--virtual_hosts=a'] });
    const admin = new Admin(app);
    await admin.createJob(2);
    await admin.runOn('a');
    expect(await admin.hosts('slaDrainHosts', 'a')).toEqual({ a: 'DRAINING' });
    await admin.createJob(1, 'late');
    await waitUntil('it was tried', async () => (await admin.reasons())[0] !== '');
    expect(await admin.reasons()).toEqual(['Host draining for maintenance']);
    expect((await admin.live('late')).map(({ status }) => status)).toEqual(['PENDING']);
    await admin.hosts('endMaintenance', 'a');
    await waitUntil(
      'it runs',
      async () => (await admin.live('late'))[0]?.status === 'RUNNING',
      LIMIT_MS,
    );
  },
);
