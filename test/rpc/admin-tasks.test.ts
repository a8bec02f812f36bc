/** forceTaskState and pruneTasks (rpc.md §12; tasks.md §2 and §6). */
import { KEY, NOWHERE, RpcWorld, version } from './support.js';

let rpc: RpcWorld;

beforeEach(async () => {
  rpc = await RpcWorld.create();
});

afterEach(() => rpc.close());

const taskId = async (instance: number): Promise<string> =>
  (await rpc.world.task(KEY, instance))?.taskId ?? '';

async function force(id: unknown, status: unknown): Promise<string> {
  const verdict = await rpc.verdict('forceTaskState', { taskId: id, status });
  await rpc.world.settle();
  return verdict;
}

/** Every task of the fixture's job by its status, replacements included. */
const statuses = async (): Promise<string[]> =>
  (await rpc.world.tasks(KEY)).map((task) => task.status);

/** So many tasks that ended, the instance with the lowest number first, a second apart. */
async function ended(...states: ('failed' | 'finished' | 'killed' | 'lost')[]): Promise<void> {
  for (const [id, state] of states.entries()) {
    const batch = version('1', { isService: false, maxTaskFailures: 1 });
    await rpc.place({ [id]: { ...batch, job: KEY } });
    await rpc.world.report(KEY, id, 'running');
    // Only what finished or failed for good has no successor.
    if (state === 'killed') await rpc.ok('killTasks', { job: KEY, instances: [id] });
    await rpc.world.report(KEY, id, state);
    await rpc.world.advance(1000);
  }
}

const left = async (): Promise<Record<number, string>> => rpc.world.statuses(KEY);
const pruned = (): number => rpc.stat('thrift_workload_pruneTasks');
const prune = (query: unknown): Promise<string> => rpc.verdict('pruneTasks', { query });

describe('forceTaskState', () => {
  test('RPC-119 a task is moved to FAILED, with the audit text, and followed by the next', async () => {
    await rpc.running(1, { isService: true });
    const id = await taskId(0);
    await rpc.ok('forceTaskState', { taskId: id, status: 'FAILED' }, 'alice');
    await rpc.world.settle();
    expect(await statuses()).toEqual(['FAILED', 'ASSIGNED']);
    const [event] = await rpc.world.sql(
      'SELECT status, message FROM task_events WHERE task_id = $1 ORDER BY id DESC LIMIT 1',
      [id],
    );
    expect(event).toEqual({ status: 'FAILED', message: 'Transition forced by alice' });
  });

  test('what the state machine refuses changes nothing, is OK and is counted', async () => {
    await rpc.running(1);
    const illegal = rpc.stat('scheduler_illegal_task_state_transitions');
    expect(await force(await taskId(0), 'PENDING')).toBe('OK');
    expect(await force(await taskId(0), 'INIT')).toBe('OK');
    expect(await statuses()).toEqual(['RUNNING']);
    expect(rpc.stat('scheduler_illegal_task_state_transitions')).toBe(illegal + 2);
    expect(await force('nobody', 'FAILED')).toBe('OK');
    expect(await rpc.world.sql('SELECT * FROM backend_commands')).toEqual([]);
  });

  test.each(['ASSIGNED', 'STARTING', 'RUNNING'])(
    '%s on an unknown id, on one that ended and on one being killed sends a kill for it',
    async (status) => {
      await rpc.running(2, { isService: false });
      const [over, dying] = [await taskId(0), await taskId(1)];
      await rpc.world.report(KEY, 0, 'finished');
      await rpc.ok('killTasks', { job: KEY, instances: [1] });
      await rpc.world.settle();
      const kills: string[] = [];
      const { backend } = rpc.world;
      const kill = backend.kill.bind(backend);
      jest.spyOn(backend, 'kill').mockImplementation((id) => {
        kills.push(id);
        return kill(id);
      });
      for (const id of ['nobody-knows-it', over, dying]) expect(await force(id, status)).toBe('OK');
      expect(kills).toEqual(['nobody-knows-it', over, dying]);
      expect(await left()).toEqual({ 0: 'FINISHED', 1: 'KILLING' });
    },
  );

  test('a PENDING task that is forced to KILLING leaves a tombstone with the audit text', async () => {
    await rpc.running(1);
    await rpc.place({ 1: version('1', { job: KEY, constraints: [NOWHERE] }) });
    const id = await taskId(1);
    expect(await force(id, 'KILLING')).toBe('OK');
    expect(await rpc.world.task(KEY, 1)).toBeUndefined();
    const [row] = await rpc.world.sql('SELECT removed_reason FROM tasks WHERE task_id = $1', [id]);
    expect(row).toEqual({ removed_reason: 'Transition forced by shiro' });
  });

  test('a blank or missing id and a missing or unknown status are ERROR', async () => {
    expect(await force(' ', 'LOST')).toBe('ERROR: taskId must not be blank');
    expect(await force(undefined, 'LOST')).toBe('ERROR: taskId must be set');
    expect(await force('x', undefined)).toBe('ERROR: status must be set');
  });
});

describe('pruneTasks', () => {
  test('RPC-120 active statuses are refused, also beside terminal ones, and nothing is counted', async () => {
    await ended('finished');
    for (const list of [['RUNNING'], ['FINISHED', 'KILLING']]) {
      const { code, details } = await rpc.call('pruneTasks', { query: { statuses: list } });
      expect([code, details[0]]).toEqual(['ERROR', expect.stringContaining('cannot be pruned')]);
    }
    expect(await left()).toEqual({ 0: 'FINISHED' });
    expect(pruned()).toBe(0);
  });

  test('RPC-121 without statuses, and with none, all terminal tasks and never an active one', async () => {
    await ended('finished', 'failed', 'killed');
    await rpc.place({ 7: version('1', { job: KEY }) });
    expect(await prune({ statuses: [] })).toBe('OK');
    expect(await left()).toEqual({ 7: 'ASSIGNED' });
    expect(pruned()).toBe(3);
    expect(await prune({})).toBe('OK');
    expect(await left()).toEqual({ 7: 'ASSIGNED' });
    expect(await rpc.world.sql('SELECT count(*)::int AS n FROM task_events')).toEqual([{ n: 2 }]);
  });

  test('RPC-121 only the statuses asked for, within the rest of the query', async () => {
    await ended('finished', 'failed', 'failed');
    expect(await prune({ statuses: ['FAILED'], instanceIds: [0, 1] })).toBe('OK');
    expect(await left()).toEqual({ 0: 'FINISHED', 2: 'FAILED' });
    expect(pruned()).toBe(1);
  });

  test('RPC-121, TASK-067 a limit deletes the first so many; KILLING among the statuses is ERROR', async () => {
    await ended('finished', 'failed', 'finished', 'failed', 'finished');
    expect(await prune({ statuses: ['FINISHED', 'KILLING'], limit: 3 })).toMatch(/^ERROR/);
    expect(pruned()).toBe(0);
    expect(await prune({ limit: 3, offset: 4 })).toBe('OK');
    expect(await left()).toEqual({ 3: 'FAILED', 4: 'FINISHED' });
    expect(pruned()).toBe(3);
  });

  test('a limit of 0 deletes nothing, a negative one is ERROR', async () => {
    await ended('finished');
    expect(await prune({ limit: 0 })).toBe('OK');
    expect(await prune({ limit: -1 })).toBe('ERROR: query.limit must not be negative');
    expect(await left()).toEqual({ 0: 'FINISHED' });
  });

  test('statuses of which this IDL knows none match nothing', async () => {
    await ended('finished');
    expect(await prune({ statuses: [99] })).toBe('OK');
    expect(await left()).toEqual({ 0: 'FINISHED' });
    expect(await prune({ statuses: [99, 'FINISHED'] })).toBe('OK');
    expect(await left()).toEqual({});
  });

  test('a missing query, and a bad key in one that names a job, are ERROR', async () => {
    expect(await prune(undefined)).toBe('ERROR: query must be set');
    expect(await prune({ role: 'r', environment: 'e', jobName: 'a/b' })).toMatch(/^ERROR: query:/);
  });

  test('listeners hear of it', async () => {
    await ended('finished');
    const heard: string[] = [];
    rpc.world.engine.tasks.subscribe(({ kind, task }) => heard.push(`${kind} ${task.status}`));
    expect(await prune({})).toBe('OK');
    expect(heard).toEqual(['deleted FINISHED']);
  });
});
