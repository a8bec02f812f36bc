/** One machine that goes by several names, and the ports it has only once. */
import { hostname } from 'node:os';
import { known } from './conformance.js';
import { compileBackend } from './support/compiled.js';
import { LocalWorld } from './support/local-world.js';
import { aTarget } from './support/requests.js';

const compiled = compileBackend();
afterAll(() => compiled.remove());

const HOSTS = [
  {
    host: 'a',
    attributes: { rack: ['r1'], host: ['other'] },
    total: { cpus: 4, ramMb: 100 },
    portRanges: [{ first: 1, last: 2 }],
  },
  { host: 'b' },
];
const SLEEP = [{ name: 'main', cmdline: 'exec sleep 600' }];

let world: LocalWorld;

function create(options: ConstructorParameters<typeof LocalWorld>[1]): void {
  world = new LocalWorld(compiled, options);
}

afterEach(async () => {
  await world.close();
});

test('each host is announced with what was said of it, and with what the machine has', async () => {
  create({ hosts: HOSTS });
  await world.start();
  const [a, b] = world.sink.hosts;
  expect(a).toMatchObject({
    ...{ host: 'a', agentId: 'local-a', up: true, portRanges: HOSTS[0]?.portRanges },
    attributes: { rack: ['r1'], host: ['a'] },
    total: { cpus: 4, ramMb: 100 },
  });
  expect(b).toMatchObject({ host: 'b', agentId: 'local-b', attributes: { host: ['b'] } });
  expect(b).not.toHaveProperty('portRanges');
  expect(a?.total.diskMb).toBe(b?.total.diskMb);
  expect(world.sink.hosts).toHaveLength(2);
});

test('without a list there is one host: the machine, under the name it was given', async () => {
  create({ hostname: 'me', total: { cpus: 3 } });
  await world.start();
  expect(world.sink.hosts).toMatchObject([{ host: 'me', total: { cpus: 3 } }]);
  await world.restart([], { hostname: hostname(), total: {} });
  expect(world.sink.hosts).toMatchObject([{ host: hostname() }]);
});

test('a task is reported from the host it was placed on, and takes from that one alone', async () => {
  create({ hosts: HOSTS });
  await world.start();
  await world.run('t', SLEEP, {}, {}, { target: aTarget({ host: 'b' }) });
  await world.pidOf('t', 'main');
  await world.restart([known('t', 'ASSIGNED')]);
  expect(world.sink.last('t')?.host).toBe('b');
  const [a, b] = world.sink.hosts;
  expect(a?.free).toEqual(a?.total);
  expect(b?.free.ramMb).toBe(Number(b?.total.ramMb) - 16);
});

test('a port that a live task has is given to no other, whatever host that is on', async () => {
  create({ hosts: HOSTS });
  await world.start();
  const on = (host: string, http: number) => ({ target: aTarget({ host, ports: { http } }) });
  await world.run('first', SLEEP, {}, {}, on('a', 31_500));
  await world.run('second', SLEEP, {}, {}, on('b', 31_500));
  await world.run('third', SLEEP, {}, {}, on('b', 31_501));
  expect(await world.end('second')).toEqual({
    state: 'lost',
    message: 'Task first has a port of this one.',
  });
  await world.pidOf('third', 'main');
  expect(world.sink.ended('first')).toBe(false);
  // Also by one that was there before the backend.
  await world.restart([known('first', 'RUNNING'), known('third', 'RUNNING')]);
  await world.run('fourth', SLEEP, {}, {}, on('b', 31_500));
  expect((await world.end('fourth')).state).toBe('lost');
  await world.backend.kill('first', 60);
  await world.end('first');
  await world.run('fifth', SLEEP, {}, {}, on('b', 31_500));
  await world.pidOf('fifth', 'main');
});
