/**
 * Kills that a coordinator lets go (updates.md §3.10, G3): its answer comes back into the job's lane, meets
 * the gate there like everything else, and counts only for the chain that asked.
 */
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { JobUpdateKey } from '../../src/core/model/keys.js';
import type { CoordinatorQuestion } from '../../src/core/sla/coordinator.js';
import { MSG_GATE_TIMEOUT } from '../../src/core/update/messages.js';
import { silentLog } from '../../src/observe/log.js';
import { Stats } from '../../src/observe/stats.js';
import { Coordinator } from '../../src/outbound/coordinator.js';
import { systemTimers } from '../../src/time.js';
import { aConfig } from '../support/builders.js';
import type { World } from '../support/world.js';
import { ATTEMPTS, CHECK, JOB, OLD, P, PASS, RETRY, SUCCESSES, SlaWorld, W } from './sla-world.js';

const URL_OF_ALL = 'http://coordinator.example/ask';
const NEW = aConfig('new', {
  slaPolicy: { coordinatorSlaPolicy: { coordinatorUrl: URL_OF_ALL, statusKey: 'go' } },
});
const BLOCKED = `ROLL_FORWARD_AWAITING_PULSE(–/${MSG_GATE_TIMEOUT})`;

/** Questions that were asked and how each is answered, by the test. */
interface Asked {
  readonly question: CoordinatorQuestion;
  /** Resolves when the answer has been acted on. */
  readonly answer: (isGranted: boolean) => Promise<void>;
}

let sla: SlaWorld;
let world: World;
let key: JobUpdateKey;
let asked: Asked[];

afterEach(async () => {
  await world.close();
});

async function created(): Promise<void> {
  asked = [];
  sla = await SlaWorld.create(
    {},
    {
      askCoordinator: (question, act) =>
        new Promise((resolve) => {
          asked.push({ question, answer: (isGranted) => act(isGranted).then(resolve) });
        }),
    },
  );
  ({ world } = sla);
}

/** Of the question asked last; settled when it returns. */
async function answer(isGranted: boolean): Promise<void> {
  await asked.at(-1)?.answer(isGranted);
  await world.settle();
}

test('it is asked about the whole task, and again after a no; a yes kills', async () => {
  await created();
  key = await sla.waiting({}, NEW);
  expect(asked).toHaveLength(1);
  const task = await world.task(JOB, 0);
  expect(asked[0]?.question).toMatchObject({
    ...{ url: URL_OF_ALL, statusKey: 'go', job: JOB, instanceId: 0 },
    task: {
      assignedTask: { taskId: task?.taskId, instanceId: 0, task: { isService: true } },
      status: 'RUNNING',
    },
  });
  const { taskEvents } = asked[0]?.question.task as { taskEvents: { status: string }[] };
  expect(taskEvents.map(({ status }) => status)).toEqual(
    expect.arrayContaining(['PENDING', 'ASSIGNED', 'RUNNING']),
  );
  // No second question while the first is under way.
  await world.advance(5 * RETRY);
  expect(asked).toHaveLength(1);
  await answer(false);
  expect(await sla.killing()).toEqual([]);
  await world.advance(RETRY);
  expect(asked).toHaveLength(2);
  await answer(true);
  expect(await sla.killing()).toEqual([0]);
  expect(await world.instanceEvents(key)).toEqual({ 0: ['upd', `upd${CHECK}`, `upd${PASS}`] });
  expect([world.counter(ATTEMPTS), world.counter(SUCCESSES)]).toEqual([2, 1]);
  await world.advance(RETRY);
  expect(sla.chains).toBe(0);
  expect(asked).toHaveLength(2);
});

test('an answer has been acted on when its kill is committed, not before', async () => {
  await created();
  key = await sla.started({}, OLD, NEW);
  expect(asked).toHaveLength(3);
  // Two answers at once, behind something that takes its time.
  const { lanes } = world.engine;
  let goOn = (): void => undefined;
  void lanes.enqueue('role/test/job1', () => new Promise<void>((resolve) => (goOn = resolve)));
  let acted = 0;
  const answers = [0, 1].map(async (n) => {
    await asked[n]?.answer(true);
    acted += 1;
    expect(await sla.killing()).toContain(n);
  });
  await new Promise((resolve) => setTimeout(resolve, 20));
  expect(acted).toBe(0);
  goOn();
  await Promise.all(answers);
  await world.settle();
  expect(await sla.killing()).toEqual([0, 1]);
});

test('G3 a yes that comes behind a closed gate kills nothing and is recorded', async () => {
  await created();
  key = await sla.waiting({ pulseTimeoutMs: P }, NEW);
  await world.pulse(key);
  await world.advance(P);
  expect(asked).toHaveLength(1);
  await answer(true);
  expect(await sla.killing()).toEqual([]);
  expect((await world.updateEvents(key)).slice(2)).toEqual([BLOCKED]);
  // The permission was for then; the pulse asks anew.
  await world.pulse(key);
  expect(await sla.killing()).toEqual([]);
  expect(asked).toHaveLength(2);
  await answer(true);
  expect(await sla.killing()).toEqual([0]);
  expect(await world.instanceEvents(key)).toEqual({ 0: ['upd', `upd${CHECK}`, `upd${PASS}`] });
});

test('a yes that comes when the update is paused, or was paused and resumed, is dropped', async () => {
  await created();
  key = await sla.waiting({}, NEW);
  await world.change(key, 'pause');
  await answer(true);
  expect(await sla.killing()).toEqual([]);
  await world.change(key, 'resume');
  await world.change(key, 'pause');
  const [, second] = asked;
  await world.change(key, 'resume');
  await second?.answer(true);
  await world.settle();
  expect(await sla.killing()).toEqual([]);
  expect(asked).toHaveLength(3);
  await answer(true);
  expect(await sla.killing()).toEqual([0]);
});

test('a yes for a task that has ended meanwhile kills neither it nor its successor', async () => {
  await created();
  key = await sla.waiting({}, NEW);
  await world.report(JOB, 0, 'finished');
  const tasks = await world.tasks(JOB);
  await asked[0]?.answer(true);
  await world.settle();
  expect(await world.tasks(JOB)).toEqual(tasks);
  expect(world.counter(SUCCESSES)).toBe(0);
});

test('SH-24 the reply to an update that was aborted says nothing to the next one', async () => {
  await created();
  key = await sla.waiting({}, NEW);
  await world.change(key, 'abort');
  const onlyTheseInstances = [{ first: 0, last: 0 }];
  const newer = aConfig('newer', { slaPolicy: NEW.slaPolicy ?? {} });
  const next = await world.startUpdate(JOB, newer, 3, { slaAware: true, onlyTheseInstances });
  expect(asked).toHaveLength(2);
  const { statements } = world.db;
  await asked[0]?.answer(true);
  await world.settle();
  expect(world.db.statements).toBe(statements);
  expect(await sla.killing()).toEqual([]);
  expect(await world.instanceEvents(key)).toEqual({ 0: ['upd', `upd${CHECK}`] });
  expect(await world.instanceEvents(next)).toEqual({ 0: ['upd', `upd${CHECK}`] });
  await answer(true);
  expect(await sla.killing()).toEqual([0]);
});

test('a coordinator that fails the call is asked again', async () => {
  let calls = 0;
  sla = await SlaWorld.create(
    {},
    {
      askCoordinator: (_question, act) => {
        calls += 1;
        return calls === 1 ? Promise.reject(new Error('broken')) : act(true);
      },
    },
  );
  ({ world } = sla);
  key = await sla.waiting({}, NEW);
  expect(await sla.killing()).toEqual([]);
  await world.advance(RETRY);
  expect(await sla.killing()).toEqual([0]);
});

test('over HTTP: three instances, one coordinator, one at a time by its lock and by its word', async () => {
  const tasks: unknown[] = [];
  const server = createServer((request, response) => {
    const pieces: Buffer[] = [];
    request.on('data', (piece: Buffer) => pieces.push(piece));
    request.on('end', () => {
      const body = JSON.parse(Buffer.concat(pieces).toString()) as { task: string };
      tasks.push(body.task);
      response.end(JSON.stringify({ go: true }));
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const coordinator = new Coordinator({
    settings: { clusterName: 'cluster', timeoutMs: 5_000, maxParallel: 10 },
    ...{ timers: systemTimers, stats: new Stats(), log: silentLog },
  });
  sla = await SlaWorld.create({}, { askCoordinator: coordinator.ask });
  ({ world } = sla);
  const coordinatorUrl = `http://127.0.0.1:${port}/`;
  const next = aConfig('new', {
    slaPolicy: { coordinatorSlaPolicy: { coordinatorUrl, statusKey: 'go' } },
  });
  key = await sla.started({}, OLD, next);
  for (const id of [0, 1, 2]) {
    // Real time: the reply is on its way.
    for (let n = 0; n < 500 && (await sla.killing()).length === 0; n++) {
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    await world.settle();
    expect(await sla.killing()).toEqual([id]);
    await world.replace(JOB, id);
    await world.advance(RETRY);
  }
  await world.advance(W);
  expect(await world.view(key)).toBe('ROLLED_FORWARD');
  expect(tasks).toEqual([0, 1, 2].map((id) => `cluster/role/test/job1/${id}`));
  coordinator.close();
  server.closeAllConnections();
  server.close();
});
