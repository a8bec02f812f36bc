/** However many groups wait on however many hosts, placement gives the event loop back soon. */
import type { TaskConfig } from '../../src/core/model/config.js';
import { TaskGroups } from '../../src/core/schedule/groups.js';
import { Judge } from '../../src/engine/scheduling/judge.js';
import { HostLedger } from '../../src/engine/scheduling/ledger.js';
import type { PreemptorOptions } from '../../src/engine/scheduling/preemptor.js';
import { Preemptor } from '../../src/engine/scheduling/preemptor.js';
import { HostReservations } from '../../src/engine/scheduling/reservations.js';
import { DEFAULT_SCHEDULING } from '../../src/engine/scheduling/settings.js';
import { Wakes } from '../../src/engine/scheduling/wakes.js';
import { Stats } from '../../src/observe/stats.js';
import type { Clock, Timers } from '../../src/time.js';
import { aConfig } from '../support/builders.js';

/** A clock that moves by `stepMs` each time it is read, and timers that fire when they are told to. */
function setUp({ hosts, waiting, stepMs }: { hosts: number; waiting: number; stepMs: number }) {
  let nowMs = 1_000_000;
  const clock = { monoNow: () => (nowMs += stepMs), wallNow: () => 0 } as unknown as Clock;
  const fires: { delayMs: number; fire: () => void }[] = [];
  const timers: Timers = {
    set(delayMs, fire) {
      const timer = { delayMs, fire };
      fires.push(timer);
      return { cancel: () => void fires.splice(fires.indexOf(timer), 1) };
    },
  };
  const ledger = new HostLedger([]);
  const config = (role: string, numCpus: number, priority: number): TaskConfig => ({
    ...aConfig('c'),
    ...{ job: { role, environment: 'prod', name: 'j' }, priority, constraints: [] },
    ...{ resources: [{ numCpus }], tier: 'preemptible' },
  });
  for (let n = 0; n < hosts; n++) {
    const host = `h${n}`;
    const total = { cpus: 1, ramMb: 1, diskMb: 1 };
    ledger.report({ host, agentId: host, up: true, attributes: {}, total, free: total });
    ledger.take({
      ...{ taskId: `on-${host}`, host, jobText: 'low/prod/j', groupKey: 'low' },
      ...{ config: config('r', 1, 0), ports: [], status: 'RUNNING' },
    });
  }
  const groups = new TaskGroups();
  for (let n = 0; n < waiting; n++) {
    const job = { role: 'r', environment: 'prod', name: `j${n}` };
    const group = groups.add({ taskId: `t${n}`, job, instanceId: 0, sinceMs: 0 }, 'c', 0, 0);
    group.config = config('r', 1, 1);
    groups.foundNothing(group, 0, () => 1e9);
  }
  const judge = new Judge(ledger, clock, new Stats(), 0);
  const reservations = new HostReservations(1_000, timers, () => undefined);
  return { ...{ clock, timers, fires, ledger, groups, judge, reservations } };
}

test('a search for hosts to preempt on is made in slices, and finds as much', () => {
  const world = setUp({ hosts: 30, waiting: 30, stepMs: 1 });
  const found: string[] = [];
  const preemptor: Preemptor = new Preemptor({
    ...world,
    affinity: { isReserved: () => false },
    settings: DEFAULT_SCHEDULING.preemption,
    tiers: DEFAULT_SCHEDULING.tiers,
    slotFound: (group: { key: string }) => {
      found.push(group.key);
      preemptor.arm();
    },
  } as unknown as PreemptorOptions);
  preemptor.start();
  const foundBy: number[] = [];
  while (found.length < 30 && foundBy.length < 30) {
    const timer = world.fires.shift();
    timer?.fire();
    foundBy.push(found.length);
  }
  expect(foundBy[0]).toBeLessThan(30);
  expect(found).toHaveLength(30);
  expect(new Set(found).size).toBe(30);
  // The next one comes at its time.
  while (world.fires[0]?.delayMs === 1) world.fires.shift()?.fire();
  expect(world.fires).toHaveLength(1);
  preemptor.stop();
  expect(world.fires).toHaveLength(0);
});

test('when very many hosts are freed at once, groups are woken rather than all hosts asked', () => {
  const { ledger, groups, judge, reservations } = setUp({ hosts: 300, waiting: 100, stepMs: 0 });
  let asked = 0;
  jest.spyOn(judge, 'asking').mockReturnValue(() => {
    asked += 1;
    return [{ kind: 'resource', name: 'CPU', score: 1 }];
  });
  const wakes = new Wakes(groups, ledger, judge, reservations);
  for (const { host } of ledger.hosts()) wakes.hostFreed(host);
  wakes.wake(5);
  expect(asked).toBeLessThanOrEqual(10_000);
  const due = groups.due(5).length;
  // Those that were asked for in full sleep on; nobody was passed over.
  expect(due).toBeGreaterThanOrEqual(60);
  expect(due).toBeLessThan(100);
});

test('what counts towards a limit is counted once for all hosts, and anew when it changes', () => {
  const ledger = new HostLedger([]);
  let reads = 0;
  const report = (host: string, rack: string): void => {
    const attributes = Object.defineProperty({}, 'rack', {
      ...{ enumerable: true, configurable: true },
      get: () => {
        reads += 1;
        return [rack];
      },
    });
    const total = { cpus: 100, ramMb: 1, diskMb: 1 };
    ledger.report({ host, agentId: host, up: true, attributes, total, free: total });
  };
  for (let n = 0; n < 100; n++) report(`h${n}`, `r${n}`);
  const config: TaskConfig = {
    ...aConfig('c'),
    ...{ resources: [{ numCpus: 1 }] },
    constraints: [{ name: 'rack', constraint: { limit: { limit: 1 } } }],
  };
  const jobText = 'r/prod/j';
  const take = (n: number): void =>
    ledger.take({
      ...{ taskId: `t${n}`, host: `h${n}`, jobText, groupKey: 'g', config },
      ...{ ports: [], status: 'RUNNING' },
    });
  for (let n = 0; n < 50; n++) take(n);
  const judge = new Judge(ledger, { wallNow: () => 0 } as Clock, new Stats(), 0);
  const open = (): number => {
    const ask = judge.asking(jobText, config);
    return [...ledger.hosts()].filter((host) => ask(host).length === 0).length;
  };
  expect(open()).toBe(50);
  // Not 50 times 100.
  expect(reads).toBeLessThan(1_000);
  take(50);
  expect(open()).toBe(49);
  ledger.release('t0');
  expect(open()).toBe(50);
  // The host of a running task moves into the rack of h0.
  report('h1', 'r0');
  expect(open()).toBe(49);
});
