/** Hosts in maintenance (tasks.md §10): modes, drains with and without regard for SLAs, restarts. */
import type { JobUpdateKey } from '../../src/core/model/keys.js';
import type { AskCoordinator, CoordinatorQuestion } from '../../src/core/sla/coordinator.js';
import { DRAINING_FOR_MAINTENANCE } from '../../src/core/task/messages.js';
import { MSG_GATE_TIMEOUT } from '../../src/core/update/messages.js';
import { aConfig, aJob } from '../support/builders.js';
import { until } from '../backend/support/wait.js';
import type { World, WorldOptions } from '../support/world.js';
import { JOB, MaintenanceWorld, POLL, boundTo, counting } from './maintenance-world.js';

const PRODUCTION = { production: true };
const ALL_UP = { percentageSlaPolicy: { percentage: 95, durationSecs: 1800 } };

let hosts: MaintenanceWorld;
let world: World;

async function created(options: WorldOptions = {}): Promise<void> {
  hosts = await MaintenanceWorld.create(options);
  ({ world } = hosts);
}

afterEach(async () => {
  await world.close();
});

describe('modes', () => {
  test('TASK-100 from SCHEDULED over DRAINING to DRAINED after the last task, and back', async () => {
    await created();
    await world.runningInstances(JOB, boundTo('a'), [0, 1]);
    expect(await hosts.told(hosts.maintenance.announce(['a'], 'op'))).toEqual(['a SCHEDULED']);
    expect(await hosts.draining()).toEqual([]);
    expect(await hosts.drain('a')).toEqual(['a DRAINING']);
    expect(await hosts.draining()).toEqual([0, 1]);
    const events = await world.sql("SELECT message FROM task_events WHERE status = 'DRAINING'");
    expect(events).toEqual(Array(2).fill({ message: DRAINING_FOR_MAINTENANCE }));
    await world.report(JOB, 0, 'killed');
    expect([await hosts.mode('a'), await hosts.requests()]).toEqual(['DRAINING', ['a']]);
    // Its replacement may run nowhere else, and waits.
    expect(await world.statuses(JOB)).toEqual({ 0: 'PENDING', 1: 'DRAINING' });
    await world.report(JOB, 1, 'killed');
    expect([await hosts.mode('a'), await hosts.requests()]).toEqual(['DRAINED', []]);
    expect(world.cluster.hostMode('a')).toBe('DRAINED');
    expect(await hosts.told(hosts.maintenance.end(['a'], 'op'))).toEqual(['a NONE']);
    expect(await world.statuses(JOB)).toEqual({ 0: 'ASSIGNED', 1: 'ASSIGNED' });
    expect(world.cluster.hostMode('a')).toBe('NONE');
    // Nothing but what is known of it went with the maintenance.
    expect(world.counter('mem_storage_attribute_size')).toBe(2);
    expect(world.counter('mem_storage_maintenance_size')).toBe(0);
  });

  test('TASK-101 an unknown host is in no answer; its drain is stored all the same', async () => {
    await created();
    const { maintenance } = hosts;
    expect(await hosts.told(maintenance.announce(['c', 'a'], 'op'))).toEqual(['a SCHEDULED']);
    expect(await hosts.slaDrain('c', 1800, ALL_UP)).toEqual([]);
    expect(await hosts.told(maintenance.statuses(['c']))).toEqual([]);
    expect(world.engine.hosts.modeOf('c')).toBe('NONE');
    expect(await hosts.requests()).toEqual(['c']);
    expect(world.counter('mem_storage_maintenance_size')).toBe(1);
    // One that comes later is a host like any other.
    world.cluster.addHost({ host: 'c' });
    await world.advance(POLL);
    expect(await hosts.mode('c')).toBe('NONE');
    expect(await hosts.told(maintenance.end(['c'], 'op'))).toEqual(['c NONE']);
    expect(await hosts.requests()).toEqual([]);
  });

  test('TASK-102 an announcement that is taken back: the end of a task changes nothing', async () => {
    await created();
    await world.runningInstances(JOB, boundTo('a'), [0]);
    await hosts.told(hosts.maintenance.announce(['a'], 'op'));
    await hosts.told(hosts.maintenance.end(['a'], 'op'));
    await world.report(JOB, 0, 'failed');
    expect(await hosts.mode('a')).toBe('NONE');
  });

  test('a host that is announced comes last, one that drains takes nothing', async () => {
    await created();
    await hosts.told(hosts.maintenance.announce(['a'], 'op'));
    await world.addInstances(JOB, aConfig('x'), [0]);
    await world.addInstances(aJob('bound'), boundTo('a', { job: aJob('bound') }), [0]);
    const placed = await world.sql('SELECT job_name, slave_host FROM tasks ORDER BY job_name');
    expect(placed).toEqual([
      { job_name: 'bound', slave_host: 'a' },
      { job_name: 'job1', slave_host: 'b' },
    ]);
    await hosts.drain('b');
    const [late] = await world.sql<{ task_id: string }>(
      `SELECT task_id FROM tasks WHERE slave_host = 'b'`,
    );
    await world.report(JOB, 0, 'killed');
    const [next] = await world.sql<{ slave_host: string }>(
      'SELECT slave_host FROM tasks WHERE ancestor_id = $1',
      [late?.task_id],
    );
    expect(next?.slave_host).toBe('a');
  });

  test('who did what, for psql', async () => {
    await created();
    await hosts.told(hosts.maintenance.announce(['a'], 'alice'));
    const [first] = await world.sql("SELECT * FROM host_maintenance WHERE host = 'a'");
    expect(first).toMatchObject({ mode: 'SCHEDULED', mode_changed_by: 'alice' });
    await world.advance(1_000);
    await hosts.told(hosts.maintenance.announce(['a'], 'bob'));
    expect(await world.sql("SELECT * FROM host_maintenance WHERE host = 'a'")).toEqual([first]);
    await hosts.told(
      hosts.maintenance.drainWithSla(['a', 'c'], { timeoutSecs: Number.MAX_SAFE_INTEGER }, 'bob'),
    );
    expect(await world.sql('SELECT * FROM host_maintenance ORDER BY host')).toMatchObject([
      { host: 'a', mode: 'DRAINING', mode_changed_by: 'bob', requested_by: 'bob' },
      { host: 'b', mode: 'NONE', requested_by: null },
      { host: 'c', mode: 'UNKNOWN', agent_id: null, forced_at: null },
    ]);
  });
});

describe('drains', () => {
  test('TASK-103 without tasks DRAINED at once; with regard for SLAs nothing happens before the look', async () => {
    await created();
    await world.runningInstances(JOB, boundTo('b'), [0]);
    expect(await hosts.drain('a')).toEqual(['a DRAINED']);
    const policy = { countSlaPolicy: { count: 2, durationSecs: 1800 } };
    expect(await hosts.slaDrain('b', 1800, policy)).toEqual(['b DRAINING']);
    expect(await hosts.slaDrain('a', 1800, policy)).toEqual(['a DRAINING']);
    expect(await world.statuses(JOB)).toEqual({ 0: 'RUNNING' });
    expect(await hosts.requests()).toEqual(['a', 'b']);
    await world.advance(POLL);
    expect(await hosts.mode('a')).toBe('DRAINED');
    expect(await hosts.requests()).toEqual(['a', 'b']);
  });

  test('TASK-104 a look asks the SLA of each task: the one that may be away goes', async () => {
    await created();
    await world.runningInstances(JOB, boundTo('a', PRODUCTION), [0, 1, 2, 3]);
    // 95 % of four would spare all of them: then one may be away.
    await hosts.slaDrain('a', 7200, ALL_UP);
    await world.advance(POLL);
    // Up for less than half an hour.
    expect(await hosts.draining()).toEqual([]);
    expect(world.stats.snapshot()['maintenance_countdown_ms_role/test/job1/0']).toBe(
      7_200_000 - POLL,
    );
    await world.leap(1_800_000);
    expect(await hosts.draining()).toHaveLength(1);
    const [gone] = await hosts.draining();
    const shown = Object.keys(world.stats.snapshot()).filter((name) => /countdown/.test(name));
    expect(shown).toHaveLength(3);
    expect(shown).not.toContain(`maintenance_countdown_ms_role/test/job1/${gone}`);
    await world.advance(2 * POLL);
    expect(await hosts.draining()).toEqual([gone]);
    expect(await hosts.mode('a')).toBe('DRAINING');
    await hosts.told(hosts.maintenance.end(['a'], 'op'));
    expect(Object.keys(world.stats.snapshot()).filter((name) => /countdown/.test(name))).toEqual(
      [],
    );
  });

  test('TASK-104 after the timeout each task is forced', async () => {
    await created();
    const config = boundTo('a', { ...PRODUCTION, slaPolicy: counting(3) });
    await world.runningInstances(JOB, config, [0, 1, 2]);
    await hosts.slaDrain('a', 7200, ALL_UP);
    await world.sql(
      'UPDATE host_maintenance_requests SET created_at = to_timestamp(0), timeout_secs = 0',
    );
    await world.advance(POLL);
    expect(await hosts.draining()).toEqual([0, 1, 2]);
  });

  test('TASK-104 without a request nothing is drained, and each task is counted', async () => {
    await created();
    await world.runningInstances(JOB, boundTo('a'), [0, 1]);
    await hosts.slaDrain('a', 7200);
    await world.sql('DELETE FROM host_maintenance_requests');
    await world.advance(POLL);
    expect(await hosts.draining()).toEqual([]);
    expect(world.counter('missing_maintenance_request')).toBe(2);
    expect(await hosts.mode('a')).toBe('DRAINING');
  });

  test('TASK-104 a look finds a host without tasks: DRAINED, and the request stays', async () => {
    await created();
    await hosts.slaDrain('a', 7200, ALL_UP);
    await world.advance(POLL - 1);
    expect(await hosts.mode('a')).toBe('DRAINING');
    await world.advance(1);
    expect([await hosts.mode('a'), await hosts.requests()]).toEqual(['DRAINED', ['a']]);
  });

  test('looks come a minute after each other, whatever one of them takes', async () => {
    await created();
    await world.runningInstances(JOB, boundTo('a'), [0]);
    await hosts.slaDrain('a', 7200);
    await world.sql('DELETE FROM host_maintenance_requests');
    await world.advance(POLL);
    expect(world.counter('missing_maintenance_request')).toBe(1);
    await world.advance(POLL - 1);
    expect(world.counter('missing_maintenance_request')).toBe(1);
    await world.advance(1);
    expect(world.counter('missing_maintenance_request')).toBe(2);
  });

  test("a task's own policy comes before that of the request, and one of neither goes at once", async () => {
    await created();
    const [strict, none] = [aJob('strict'), aJob('none')];
    const own = { ...PRODUCTION, slaPolicy: counting(2) };
    await world.runningInstances(strict, boundTo('a', { ...own, job: strict }), [0, 1]);
    // Of the two one is away already.
    await world.report(strict, 1, 'failed');
    await world.runningInstances(none, boundTo('a', { ...PRODUCTION, job: none }), [0, 1]);
    await hosts.slaDrain('a', 7200);
    await world.advance(POLL);
    expect([await hosts.draining(strict), await hosts.draining(none)]).toEqual([[1], [0, 1]]);
  });

  test('drainHosts spares nobody, in the same millisecond', async () => {
    await created();
    const config = boundTo('a', { ...PRODUCTION, slaPolicy: counting(2) });
    await world.runningInstances(JOB, config, [0, 1]);
    await hosts.drain('a');
    expect(await hosts.draining()).toEqual([0, 1]);
  });

  test('tasks that go anyway count as away for the SLA of the others', async () => {
    await created();
    const guarded = { ...PRODUCTION, slaPolicy: counting(2) };
    const job = JOB;
    await world.runningInstances(job, boundTo('a', guarded), [0, 1]);
    await world.runningInstances(job, boundTo('b', guarded, 'other'), [2]);
    await hosts.slaDrain('a', 7200, ALL_UP);
    await hosts.slaDrain('b', 0);
    await world.advance(POLL);
    expect(await hosts.draining()).toEqual([2]);
  });

  test('endMaintenance: what is DRAINING is not called back, and nothing more is drained', async () => {
    await created();
    const config = boundTo('a', { ...PRODUCTION, slaPolicy: counting(1) });
    await world.runningInstances(JOB, config, [0, 1]);
    await hosts.slaDrain('a', 7200);
    await world.advance(POLL);
    expect(await hosts.draining()).toHaveLength(1);
    const [first] = await hosts.draining();
    await hosts.told(hosts.maintenance.end(['a'], 'op'));
    await world.replace(JOB, Number(first));
    await world.advance(3 * POLL);
    expect(await world.statuses(JOB)).toEqual({ 0: 'RUNNING', 1: 'RUNNING' });
    expect(await hosts.mode('a')).toBe('NONE');
  });

  test('a drain that the store refuses for a job is made good by the next look', async () => {
    await created();
    await world.runningInstances(JOB, boundTo('a'), [0]);
    world.db.once('FOR SHARE OF h', () => {
      throw new Error('the store is away');
    });
    expect(await hosts.drain('a')).toEqual(['a DRAINING']);
    expect(await hosts.draining()).toEqual([]);
    await world.advance(POLL);
    expect(await hosts.draining()).toEqual([0]);
  });

  test('endMaintenance waits for a drain that is being written: behind its answer nothing is drained', async () => {
    await created();
    await world.runningInstances(JOB, boundTo('a'), [0]);
    const order: string[] = [];
    let ended: Promise<void> | undefined;
    const isWaiting = async (): Promise<boolean> => {
      const waiting = await world.sql(
        `SELECT FROM pg_stat_activity
          WHERE datname = current_database() AND wait_event_type = 'Lock'`,
      );
      return waiting.length > 0;
    };
    world.db.beforeCommit = async ({ mentions }) => {
      if (!mentions('FOR SHARE OF h')) return;
      world.db.beforeCommit = undefined;
      ended = hosts.maintenance.end(['a'], 'op').then(() => void order.push('ended'));
      await until('endMaintenance waits for the host', isWaiting);
      order.push('drained');
    };
    await hosts.maintenance.drain(['a'], 'op');
    await ended;
    expect(order).toEqual(['drained', 'ended']);
    await world.settle();
    expect([await hosts.mode('a'), await hosts.draining()]).toEqual(['NONE', [0]]);
  });

  test('a task of a host that is not heard of is lost at once, and replaced', async () => {
    await created({ settings: { partitionAware: true } });
    await world.runningInstances(JOB, boundTo('a'), [0]);
    await world.report(JOB, 0, 'unreachable');
    expect(await world.statuses(JOB)).toEqual({ 0: 'PARTITIONED' });
    await hosts.drain('a');
    expect((await world.tasks(JOB)).map(({ status }) => status)).toEqual(['LOST', 'PENDING']);
    expect(await hosts.mode('a')).toBe('DRAINED');
  });

  test('a task that was placed behind the drain goes at once', async () => {
    await created();
    await hosts.drain('a', 'b');
    await world.addInstances(JOB, aConfig('x'), [0]);
    expect(await world.statuses(JOB)).toEqual({ 0: 'PENDING' });
    const task = await world.task(JOB, 0);
    const placement = { host: 'a', agentId: 'agent-a', ports: {} };
    await world.db.write({}, (tx) =>
      world.engine.tasks.change(tx, [
        { taskId: task?.taskId ?? '', target: 'ASSIGNED', placement },
      ]),
    );
    await world.settle();
    expect(await hosts.draining()).toEqual([0]);
  });
});

describe('coordinators', () => {
  const policy = {
    coordinatorSlaPolicy: { coordinatorUrl: 'http://coordinator.example', statusKey: 'go' },
  };
  let asked: { question: CoordinatorQuestion; answer: (isGranted: boolean) => Promise<void> }[];
  const askCoordinator: AskCoordinator = (question, act) =>
    new Promise((resolve) => {
      asked.push({ question, answer: (isGranted) => act(isGranted).then(resolve) });
    });

  beforeEach(async () => {
    asked = [];
    await created({ askCoordinator });
    await world.runningInstances(JOB, boundTo('a', { slaPolicy: policy }), [0]);
  });

  async function answer(isGranted: boolean): Promise<void> {
    await asked.at(-1)?.answer(isGranted);
    await world.settle();
  }

  test('TASK-096 a drain tells how long it will ask; each look asks anew, a yes drains', async () => {
    await hosts.slaDrain('a', 600, ALL_UP);
    expect(asked).toEqual([]);
    await world.advance(POLL);
    expect(asked.map(({ question }) => question)).toMatchObject([
      {
        ...{ url: 'http://coordinator.example', statusKey: 'go', job: JOB, instanceId: 0 },
        task: { status: 'RUNNING' },
        params: { forceMaintenanceCountdownMs: String(600_000 - POLL) },
      },
    ]);
    // Not asked twice at once.
    await world.advance(POLL);
    expect(asked).toHaveLength(1);
    await answer(false);
    expect(await hosts.draining()).toEqual([]);
    await world.advance(POLL);
    expect(asked).toHaveLength(2);
    expect(asked[1]?.question.params).toEqual({
      forceMaintenanceCountdownMs: String(600_000 - 3 * POLL),
    });
    await answer(true);
    expect(await hosts.draining()).toEqual([0]);
  });

  test('TASK-098 once the time is up it is not asked, whatever it would say', async () => {
    await hosts.slaDrain('a', 90, ALL_UP);
    await world.advance(POLL);
    await answer(false);
    expect(asked).toHaveLength(1);
    await world.advance(POLL);
    expect(asked).toHaveLength(1);
    expect(await hosts.draining()).toEqual([0]);
  });

  test('TASK-098 drainHosts does not ask it at all', async () => {
    await hosts.drain('a');
    expect(asked).toEqual([]);
    expect(await hosts.draining()).toEqual([0]);
  });

  test('a yes that comes after endMaintenance drains nothing', async () => {
    await hosts.slaDrain('a', 600);
    await world.advance(POLL);
    await hosts.told(hosts.maintenance.end(['a'], 'op'));
    await answer(true);
    expect(await world.statuses(JOB)).toEqual({ 0: 'RUNNING' });
  });

  test('a yes that cannot be written is asked for again', async () => {
    await hosts.slaDrain('a', 600);
    await world.advance(POLL);
    world.db.once('FOR SHARE OF h', () => {
      throw new Error('the store is away');
    });
    await expect(asked[0]?.answer(true)).rejects.toThrow('the store is away');
    await world.settle();
    await world.advance(POLL);
    expect(await world.statuses(JOB)).toEqual({ 0: 'RUNNING' });
  });
});

describe('a new process', () => {
  test('knows modes and requests before it places, and tells the backend', async () => {
    await created();
    await world.runningInstances(JOB, boundTo('a'), [0, 1]);
    await hosts.slaDrain('a', 7200, ALL_UP);
    await world.stop();
    await world.sql("UPDATE hosts SET mode = 'DRAINED' WHERE host = 'b'");
    world.cluster.setHostMode('a', 'NONE');
    await world.start();
    expect([world.cluster.hostMode('a'), world.cluster.hostMode('b')]).toEqual([
      ...['DRAINING', 'DRAINED'],
    ]);
    const job = aJob('new');
    await world.addInstances(job, aConfig('x', { job }), [0]);
    expect(await world.statuses(job)).toEqual({ 0: 'PENDING' });
    expect(world.counter('mem_storage_maintenance_size')).toBe(1);
    expect(await world.sql('SELECT count(*)::int AS n FROM hosts')).toEqual([{ n: 2 }]);
    await world.advance(POLL);
    expect(await hosts.draining()).toEqual([0, 1]);
    await world.report(JOB, 0, 'killed');
    await world.report(JOB, 1, 'killed');
    expect([await hosts.mode('a'), await hosts.requests()]).toEqual(['DRAINED', []]);
  });

  test('goes on with a drain that was only begun, and with one whose end nobody saw', async () => {
    await created();
    await world.runningInstances(JOB, boundTo('a'), [0]);
    // The process ends between the request and the first task.
    world.db.once('FOR SHARE OF h', () => {
      throw new Error('killed');
    });
    await hosts.drain('a');
    await world.restart();
    await world.advance(POLL);
    expect(await hosts.draining()).toEqual([0]);
    await world.stop();
    const task = await world.task(JOB, 0);
    world.cluster.report(task?.taskId ?? '', 'killed');
    await world.start();
    expect(await hosts.mode('a')).toBe('DRAINED');
  });
});

describe('an update of the job', () => {
  const P = 1_000;
  const W = 2_000;
  const BLOCKED = `ROLL_FORWARD_AWAITING_PULSE(–/${MSG_GATE_TIMEOUT})`;

  async function watched(key: JobUpdateKey): Promise<void> {
    for (let ms = 0; ms < W; ms += P / 2) {
      await world.pulse(key);
      await world.advance(P / 2);
    }
  }

  async function placed(): Promise<Record<number, string>> {
    const rows = await world.sql<{ id: number; host: string }>(
      `SELECT instance_id AS id, slave_host AS host FROM tasks WHERE status = 'RUNNING'`,
    );
    return Object.fromEntries(rows.map(({ id, host }) => [id, host]));
  }

  test('a drain is no action of a coordinated update: it moves tasks, the update waits for its pulse', async () => {
    await created();
    // Everything goes to the other host as long as that one takes tasks.
    await hosts.told(hosts.maintenance.announce(['b'], 'op'));
    await world.runningInstances(JOB, aConfig('old'), [0, 1]);
    const key = await world.startUpdate(JOB, aConfig('new'), 2, { pulseTimeoutMs: P });
    await world.pulse(key);
    await world.replace(JOB, 0);
    expect(await placed()).toEqual({ 0: 'a', 1: 'a' });
    await world.advance(P);
    expect(await world.view(key)).toBe('ROLL_FORWARD_AWAITING_PULSE');

    // Instance 0 is in the update's hands, 1 has yet to come.
    await hosts.drain('a');
    expect(await hosts.draining()).toEqual([0, 1]);
    for (const id of [0, 1]) await world.replace(JOB, id);
    expect(await placed()).toEqual({ 0: 'b', 1: 'b' });
    expect(await world.versions(JOB)).toEqual({ 0: 'new', 1: 'old' });
    expect(await hosts.mode('a')).toBe('DRAINED');
    await world.advance(10 * W);
    expect(await world.instanceEvents(key)).toEqual({ 0: ['upd'] });
    const events = await world.updateEvents(key);
    expect(events.slice(1).filter((event) => event !== BLOCKED)).toEqual(['ROLLING_FORWARD(–/–)']);
    expect(await world.view(key)).toBe('ROLL_FORWARD_AWAITING_PULSE');
    expect(await world.versions(JOB)).toEqual({ 0: 'new', 1: 'old' });

    // With pulses it goes on from the tasks that replaced the drained ones.
    await watched(key);
    expect(await world.instanceEvents(key)).toEqual({ 0: ['upd', 'ok'], 1: ['upd'] });
    await world.replace(JOB, 1);
    await watched(key);
    expect(await world.view(key)).toBe('ROLLED_FORWARD');
    expect(await world.versions(JOB)).toEqual({ 0: 'new', 1: 'new' });
  });
});

describe('the backend', () => {
  test('is told a mode again until it has taken it, and then the newest', async () => {
    await created();
    const taken: string[] = [];
    let isAway = true;
    jest.spyOn(world.backend, 'setHostMode').mockImplementation(async (host, mode) => {
      if (isAway) throw new Error('the cluster is away');
      taken.push(`${host} ${mode}`);
    });
    await hosts.told(hosts.maintenance.announce(['a'], 'op'));
    await hosts.drain('a');
    expect(await hosts.mode('a')).toBe('DRAINED');
    isAway = false;
    expect(taken).toEqual([]);
    await world.advance(5_000);
    expect(taken).toEqual(['a DRAINED']);
    await world.advance(60_000);
    expect(taken).toEqual(['a DRAINED']);
  });

  test('is told nothing of a mode that was not committed, and nobody else is', async () => {
    await created();
    world.db.once('UPDATE hosts', () => {
      throw new Error('the store is away');
    });
    await expect(hosts.maintenance.announce(['a'], 'op')).rejects.toThrow('the store is away');
    await world.settle();
    expect(world.cluster.hostMode('a')).toBe('NONE');
    expect(world.engine.hosts.modeOf('a')).toBe('NONE');
  });
});

describe('cost', () => {
  test.each([2, 40])('a drain of %i tasks of a job takes as many statements', async (instances) => {
    await created();
    const ids = Array.from({ length: instances }, (_, id) => id);
    await world.runningInstances(JOB, boundTo('a', { ...PRODUCTION }), ids);
    const policy = { countSlaPolicy: { count: 0, durationSecs: 0 } };
    await hosts.slaDrain('a', 7200, policy);
    const before = world.db.statements;
    // Nothing is told of their ends: all that is counted is the look.
    await world.advance(POLL);
    expect(await hosts.draining()).toEqual(ids);
    // The tasks there; then for the job, between BEGIN with the fence (counted as two) and COMMIT, the hosts,
    // the tasks, what the job has running, the locks of the change and its writes. The kills that the backend
    // has taken are struck off in a batch or two, and housekeeping comes at the same time.
    expect(world.db.statements - before).toBeLessThanOrEqual(18);
  });
});
