/** The composition root: the parts of app.ts are wired as operators and clients expect. */
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { TaskDir, taskHash } from '../../src/backend/local/task-dir';
import { until } from '../backend/support/wait';
import { startTestApp } from '../support/app';
import { lives } from '../support/server-process';

const KEY = { role: 'web', environment: 'test', name: 'app' };
const TASK = { processes: [{ name: 'only', cmdline: 'exec sleep 3600' }] };
const RESOURCES = { cpu: 0.01, ram: 2 ** 20, disk: 2 ** 20 };

function description(data: object): Record<string, unknown> {
  const config = {
    ...{ job: KEY, owner: { user: 'deployer' }, isService: true, maxTaskFailures: 1 },
    resources: [{ numCpus: 0.01 }, { ramMb: 1 }, { diskMb: 1 }],
    executorConfig: { name: 'AuroraExecutor', data: JSON.stringify(data) },
  };
  return { key: KEY, owner: { user: 'deployer' }, taskConfig: config, instanceCount: 1 };
}

interface TaskOnWire {
  readonly status: string;
  readonly assignedTask: { readonly taskId: string };
}

test('clients are served in both protocols, operators find their endpoints, and calls are counted', async () => {
  await using app = await startTestApp({ flags: ['--cluster_name=one'] });
  const get = (path: string): Promise<Response> => fetch(`${app.url}${path}`);
  expect((await get('/health')).status).toBe(200);
  expect((await get('/leaderhealth')).status).toBe(200);
  expect(await (await get('/')).text()).toContain('<b>one</b>');
  expect(await (await get('/pendingtasks')).json()).toEqual([]);

  for (const protocol of ['binary', 'json'] as const) {
    const { responseCode } = await app.client({ protocol }).call('getJobs', { ownerRole: 'web' });
    expect(responseCode).toBe('OK');
  }
  expect(await (await get('/vars')).text()).toMatch(/^scheduler_thrift_response_OK 2$/m);
  expect(await (await get('/metrics')).text()).toMatch(/^aurora_\w+.*method="getJobs".* 2$/m);

  expect(app.endedWith).toBeUndefined();
  expect((await fetch(`${app.url}/quitquitquit`, { method: 'POST' })).status).toBe(200);
  await until('it asks to be ended', () => app.endedWith === 0);
});

test('what the executor would refuse is refused by the local backend, and taken by the simulated one', async () => {
  const broken = description({ task: { processes: 'none' } });
  await using simulated = await startTestApp();
  await using local = await startTestApp({ backend: 'local' });
  const codeOf = async (app: typeof local): Promise<string> =>
    (await app.client().call('createJob', { description: broken })).responseCode;
  expect([await codeOf(simulated), await codeOf(local)]).toEqual(['OK', 'INVALID_REQUEST']);
});

test('with the local backend a task is a process, and the test app leaves none behind', async () => {
  const app = await startTestApp({ backend: 'local' });
  const client = app.client();
  const created = await client.call('createJob', {
    description: description({ task: { ...TASK, resources: RESOURCES } }),
  });
  expect([created.responseCode, created.details]).toEqual(['OK', []]);
  const { taskId } = await until('it runs', async () => {
    const { result } = await client.call('getTasksStatus', { query: { role: 'web' } });
    const [task] = result?.['scheduleStatusResult']?.['tasks'] as TaskOnWire[];
    return task?.status === 'RUNNING' && task.assignedTask;
  });
  const stateDir = join(app.config.data_dir, 'tasks');
  const [run] = new TaskDir(stateDir, taskHash(taskId)).readRuns();
  const pid = run?.type === 'start' ? (run.pid as number) : NaN;
  expect(lives(pid)).toBe(true);
  await app.stop();
  expect([lives(pid), existsSync(stateDir)]).toEqual([false, false]);
});

test('BACKEND-006 a PENDING task that finds no host and is killed leaves no row, process or directory on the local backend', async () => {
  await using app = await startTestApp({ backend: 'local' });
  const client = app.client();
  const { taskConfig, ...job } = description({ task: { ...TASK, resources: RESOURCES } });
  const value = { negated: false, values: ['nowhere'] };
  const constraints = [{ name: 'rack', constraint: { value } }];
  const created = await client.call('createJob', {
    description: { ...job, taskConfig: { ...(taskConfig as object), constraints } },
  });
  expect(created.responseCode).toBe('OK');
  const found = async (): Promise<TaskOnWire[]> => {
    const { result } = await client.call('getTasksStatus', { query: { role: 'web' } });
    const { tasks } = result?.['scheduleStatusResult'] as { tasks: TaskOnWire[] };
    return tasks;
  };
  const [task] = await found();
  expect(task?.status).toBe('PENDING');
  // It was tried and found nothing.
  const reason = async () => (await client.call('getPendingReason', { query: {} })).result;
  for (let n = 0; n < 100 && !JSON.stringify(await reason()).includes('rack'); n++) {
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  expect(JSON.stringify(await reason())).toContain('Constraint not satisfied: rack');

  const killed = await client.call('killTasks', { job: KEY });
  expect(killed).toMatchObject({ responseCode: 'OK' });
  expect(await found()).toEqual([]);
  const stateDir = join(app.config.data_dir, 'tasks');
  expect(readdirSync(join(stateDir, 'tasks'))).toEqual([]);
  const dir = new TaskDir(stateDir, taskHash(task?.assignedTask.taskId ?? ''));
  expect(dir.readSupervisor()).toBeUndefined();
  // Nor does the backend hear of it later.
  expect((await client.call('triggerImplicitTaskReconciliation', {})).responseCode).toBe('OK');
  expect(await found()).toEqual([]);
  expect(readdirSync(join(stateDir, 'tasks'))).toEqual([]);
});
