import fc from 'fast-check';
import type { Host } from '../../../src/core/schedule/host.js';
import { choosePorts, freeAmounts, freePorts } from '../../../src/core/schedule/host.js';
import { askLast, chooseHost, orderHosts } from '../../../src/core/schedule/choose-host.js';
import { currentFit, nearerFit, pendingReason } from '../../../src/core/schedule/pending-reason.js';
import type { Veto } from '../../../src/core/schedule/vetoes.js';
import { vetoes } from '../../../src/core/schedule/vetoes.js';
import { aHost, aTask } from './fixtures.js';

const FIRST = () => 0;
const SMALL = aTask({ resources: [{ numCpus: 1 }, { ramMb: 100 }, { diskMb: 100 }] });
const host = (name: string, change: Partial<Host> = {}) =>
  aHost({ host: name, attributes: { host: [name] }, ...change });
const choose = (config: typeof SMALL, hosts: Host[], jobTasks: Host['attributes'][] = []) =>
  chooseHost(config, orderHosts(hosts, FIRST), (asked) => vetoes(config, asked, jobTasks), FIRST);
const nameOf = (config: typeof SMALL, ...hosts: Host[]) => choose(config, hosts).host?.host;

describe('chooseHost', () => {
  const full = { free: { cpus: 0, ramMb: 0, diskMb: 0 } };

  test('the first host that takes the task', () => {
    expect(nameOf(SMALL, host('a'), host('b'))).toBe('a');
    expect(nameOf(SMALL, host('a', full), host('b'))).toBe('b');
    expect(nameOf(SMALL)).toBeUndefined();
  });

  test('a host with announced maintenance only if there is no other', () => {
    const scheduled = host('a', { mode: 'SCHEDULED' });
    expect(nameOf(SMALL, scheduled, host('b'))).toBe('b');
    expect(nameOf(SMALL, scheduled, host('b', full))).toBe('a');
    expect(nameOf(SMALL, scheduled, host('b', { mode: 'DRAINING' }))).toBe('a');
  });

  test('by mode, then later unavailability, then at random', () => {
    const [near, far] = [
      host('near', { unavailableFromMs: 5 }),
      host('far', { unavailableFromMs: 9 }),
    ];
    const scheduled = host('scheduled', { mode: 'SCHEDULED' });
    const names = (hosts: Host[]) => hosts.map((one) => one.host);
    const all = [scheduled, near, host('a'), far, host('b')];
    const dice = [0, 0, 0.9, 0, 0.1];
    expect(names(orderHosts(all, () => dice.shift() ?? 0))).toEqual([
      ...['b', 'a', 'far', 'near', 'scheduled'],
    ]);
    // Who got a task is asked after those that are as good, and before those that are not.
    const ordered = orderHosts([host('a'), host('b'), far, scheduled], FIRST);
    expect(names(askLast(ordered, host('a')))).toEqual(['b', 'a', 'far', 'scheduled']);
    expect(names(askLast(ordered, scheduled))).toEqual(['a', 'b', 'far', 'scheduled']);
  });

  test('a limit counts the tasks the job already has', () => {
    const limited = {
      ...SMALL,
      constraints: [{ name: 'host', constraint: { limit: { limit: 1 } } }],
    };
    const placed = choose(limited, [host('a'), host('b')], [{ host: ['a'] }]);
    expect(placed.host?.host).toBe('b');
  });

  test('no host: the vetoes of the nearest', () => {
    const away = aTask({ constraints: [{ name: 'rack', constraint: { limit: { limit: 1 } } }] });
    const hosts = [host('a', { mode: 'DRAINED' }), host('b'), host('c', { mode: 'DRAINING' })];
    expect(choose(away, hosts)).toEqual({
      vetoes: [{ kind: 'constraint', name: 'rack', score: 10_000 }],
    });
    const reason = choose(SMALL, [host('a', full)]);
    expect(reason).toMatchObject({ vetoes: [{ name: 'CPU' }, { name: 'RAM' }, { name: 'disk' }] });
    expect(choose(SMALL, [])).toEqual({ vetoes: [] });
  });

  test('a port somebody has is not given again', () => {
    const config = aTask({ resources: [{ namedPort: 'one' }] });
    const ports = { ranges: [{ first: 80, last: 86 }], taken: new Set([80, 81, 82, 83, 84, 85]) };
    expect(choose(config, [host('a', { ports })])).toMatchObject({
      ports: { one: 86 },
    });
  });
});

describe('ports', () => {
  const pool = {
    ranges: [
      { first: 10, last: 12 },
      { first: 20, last: 20 },
    ],
    taken: new Set([11]),
  };

  test('free ports are those of the ranges that nobody has', () => {
    expect(freePorts(pool)).toEqual([10, 12, 20]);
  });

  test('every name gets a port of its own, whatever the randomness', () => {
    const random = fc.infiniteStream(fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }));
    fc.assert(
      fc.property(random, fc.integer({ min: 0, max: 3 }), (stream, count) => {
        const names = ['a', 'b', 'c'].slice(0, count);
        const chosen = choosePorts(names, pool, () => stream.next().value as number);
        expect(Object.keys(chosen!)).toEqual(names);
        const numbers = Object.values(chosen!);
        expect(new Set(numbers).size).toBe(count);
        for (const port of numbers) expect([10, 12, 20]).toContain(port);
      }),
      { numRuns: 100 },
    );
  });

  test('too few ports are none', () => {
    expect(choosePorts(['a', 'b', 'c', 'd'], pool, FIRST)).toBeUndefined();
    expect(choosePorts([], { ranges: [], taken: new Set() }, FIRST)).toEqual({});
  });
});

describe('what is left of a host', () => {
  test('totals minus what tasks hold, below nothing if need be', () => {
    const gpu = aTask({ resources: [{ numGpus: 1 }, { ipAddr: 2 }, { namedPort: 'x' }] });
    expect(
      freeAmounts({ cpus: 1.5, ramMb: 150, diskMb: 1000, gpus: 2 }, [SMALL, SMALL, gpu]),
    ).toEqual({
      cpus: -0.5,
      ramMb: -50,
      diskMb: 800,
      gpus: 1,
      ips: -2,
    });
  });
});

describe('the pending reason', () => {
  const veto = (kind: Veto['kind'], name: string, score: number): Veto => ({ kind, name, score });
  const DEDICATED = [veto('dedicated', '', 1_000_000)];
  const DRAINING = [veto('maintenance', 'draining', 100_000)];
  const RACK = [veto('constraint', 'rack', 10_000)];
  const FOUR = ['CPU', 'RAM', 'disk', 'ports'].map((name) => veto('resource', name, 1000));

  test('RPC-070 vetoes are joined by a comma alone', () => {
    const set = [veto('constraint', 'first', 1), veto('constraint', 'second', 1)];
    expect(pendingReason(set)).toBe(
      'Constraint not satisfied: first,Constraint not satisfied: second',
    );
    expect(pendingReason([])).toBe('');
    expect(pendingReason([...DEDICATED, ...DRAINING, veto('limit', 'host', 1)])).toBe(
      'Host is dedicated,Host draining for maintenance,Limit not satisfied: host',
    );
  });

  test('TASK-059 the nearest fit is the one with the lowest score', () => {
    let fit = nearerFit(undefined, DEDICATED, 0);
    for (const set of [DRAINING, RACK, FOUR]) {
      fit = nearerFit(fit, set, 1);
      expect(fit?.vetoes).toBe(set);
    }
    for (const worse of [DEDICATED, DRAINING, RACK, [...FOUR]]) {
      expect(nearerFit(fit, worse, 2)).toBe(fit);
    }
    expect(nearerFit(undefined, [], 0)).toBeUndefined();
  });

  test('TASK-060 an entry dies ten minutes after it was made, improved or not', () => {
    const MINUTE = 60_000;
    const made = nearerFit(undefined, RACK, 1000);
    const improved = nearerFit(made, FOUR, 1000 + 9 * MINUTE);
    expect(currentFit(improved, 1000 + 10 * MINUTE - 1)).toBe(improved);
    expect(currentFit(improved, 1000 + 10 * MINUTE + 1000)).toBeUndefined();
    expect(currentFit(undefined, 0)).toBeUndefined();
    // After that the next set counts, however far it is.
    const late = 1000 + 11 * MINUTE;
    expect(nearerFit(improved, DEDICATED, late)).toEqual({ vetoes: DEDICATED, sinceMs: late });
  });
});
