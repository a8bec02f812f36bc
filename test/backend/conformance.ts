/**
 * What every backend owes the core (tasks.md §11.2 to §11.4), told to a sink that records. BACKEND-006 and
 * BACKEND-008 are about the core and live with it (the latter in test/e2e/maintenance.test.ts, for each).
 */
import type { ClusterBackend, KnownTask } from '../../src/backend/backend.js';
import type { ScheduleStatus } from '../../src/core/model/statuses.js';
import type { RecordingSink } from './support/recording-sink.js';

export interface ConformanceHarness {
  readonly backend: ClusterBackend;
  readonly sink: RecordingSink;
  start(known?: readonly KnownTask[]): Promise<void>;
  /** A new backend and a new sink; the old ones are stopped first, or, for a crash, just left. */
  restart(known: readonly KnownTask[], how?: 'stop' | 'crash'): Promise<void>;
  /** Submits a workload that runs until it is killed or told to exit. */
  submit(taskId: string): Promise<void>;
  /** Makes it exit with this code, whether or not a backend is attached. */
  exit(taskId: string, code: number): Promise<void>;
  /** What stays the same as long as the workload is the same; undefined when there is none. */
  workload(taskId: string): unknown;
  /** Lets time pass until the condition holds. */
  until(what: string, condition: () => boolean): Promise<void>;
  /** Lets pass what time a backend would need for one more report. */
  pass(): Promise<void>;
  close(): Promise<void>;
}

export function known(taskId: string, status: ScheduleStatus, submitted = true): KnownTask {
  return { taskId, status, submitted, host: 'localhost' };
}

export function describeConformance(name: string, make: () => ConformanceHarness): void {
  describe(`${name}: the contract of a backend`, () => {
    let harness: ConformanceHarness;
    beforeEach(() => {
      harness = make();
    });
    afterEach(() => harness.close());

    const until = (state: string, taskId = 't') =>
      harness.until(`${taskId} ${state}`, () =>
        harness.sink.states(taskId).includes(state as never),
      );

    async function running(taskId = 't'): Promise<void> {
      await harness.start();
      await harness.submit(taskId);
      await until('running', taskId);
    }

    test('announces its host at the start', async () => {
      await harness.start();
      const [host] = harness.sink.hosts;
      expect(host).toMatchObject({
        host: 'localhost',
        up: true,
        attributes: { host: ['localhost'] },
      });
      expect(host?.total.cpus).toBeGreaterThan(0);
    });

    test('BACKEND-001 a running task goes on over a restart and is only said to run', async () => {
      await running();
      const workload = harness.workload('t');
      expect(workload).toBeDefined();
      await harness.restart([known('t', 'RUNNING')]);
      expect(harness.sink.states('t')).toEqual(['running']);
      expect(harness.workload('t')).toEqual(workload);
      await harness.pass();
      expect(harness.sink.states('t')).toEqual(['running']);
    });

    test('BACKEND-002 what ended meanwhile is reported with its status', async () => {
      await running();
      await harness.backend.stop();
      await harness.exit('t', 3);
      await harness.restart([known('t', 'RUNNING')]);
      expect(harness.sink.states('t')).toEqual(['failed']);
    });

    test.each(['stop', 'crash'] as const)(
      'BACKEND-003 a kill that was committed but not sent is replayed (%s)',
      async (how) => {
        await running();
        await harness.restart([known('t', 'KILLING')], how);
        expect(harness.sink.states('t')).toEqual(['running']);
        await harness.backend.kill('t', 60);
        await until('killed');
        await harness.until('it is gone', () => harness.workload('t') === undefined);
      },
    );

    test('BACKEND-003 a kill that was sent goes on while nobody listens', async () => {
      await running();
      await harness.backend.kill('t', 60);
      await harness.restart([known('t', 'KILLING')], 'crash');
      await until('killed');
    });

    test('BACKEND-004 a workload nobody knows is reported at the start and by reconciliation', async () => {
      await running();
      await harness.restart([]);
      expect(harness.sink.states('t')).toEqual(['running']);
      await harness.backend.reconcile('all');
      await harness.until('told again', () => harness.sink.states('t').length === 2);
      await harness.backend.kill('t', 60);
      await until('killed');
    });

    test('BACKEND-005 a kill of what was never submitted reports lost', async () => {
      await harness.start();
      await harness.backend.kill('never', 60);
      await until('lost', 'never');
    });

    test('BACKEND-007 a status told twice is stored once', async () => {
      await running();
      await harness.backend.reconcile({ taskIds: ['t', 'nobody'] });
      await until('lost', 'nobody');
      await harness.until('told twice', () => harness.sink.states('t').length === 3);
      expect(harness.sink.states('t')).toEqual(['starting', 'running', 'running']);
      expect(harness.sink.stored.get('t')).toEqual(['starting', 'running']);
    });

    test('rule 2: refused events come again, in order', async () => {
      await harness.start();
      const refused: Record<string, number> = {};
      harness.sink.refuse = ({ state }) => {
        refused[state] = (refused[state] ?? 0) + 1;
        if (refused[state] < 3) throw new Error('no database');
      };
      await harness.submit('t');
      await harness.until('running', () => harness.sink.stored.get('t')?.length === 2);
      await harness.exit('t', 0);
      await harness.until('finished', () => harness.sink.stored.get('t')?.length === 3);
      const thrice = (state: string) => [state, state, state];
      expect(harness.sink.states('t')).toEqual(['starting', 'running', 'finished'].flatMap(thrice));
    });

    test('rule 2: an end status that was never taken is told by the next backend', async () => {
      await running();
      harness.sink.refuse = () => {
        throw new Error('no database');
      };
      await harness.exit('t', 3);
      await harness.until('failed', () => harness.sink.ended('t'));
      await harness.restart([known('t', 'RUNNING')], 'crash');
      expect(harness.sink.states('t')).toEqual(['failed']);
    });

    test('rule 3: a kill of what has ended says its end again, also after a restart', async () => {
      await running();
      await harness.exit('t', 0);
      await until('finished');
      await harness.backend.kill('t', 60);
      await harness.until('told again', () => harness.sink.states('t').length === 4);
      await harness.restart([]);
      expect(harness.sink.states('t')).toEqual([]);
      await harness.backend.kill('t', 60);
      await until('finished');
      expect(harness.sink.states('t')).toEqual(['finished']);
    });

    test('rule 4: a repeated submit starts nothing, alive or ended', async () => {
      await running();
      const workload = harness.workload('t');
      await harness.submit('t');
      await harness.restart([known('t', 'ASSIGNED', false)]);
      await harness.submit('t');
      expect(harness.workload('t')).toEqual(workload);
      await harness.exit('t', 0);
      await until('finished');
      await harness.submit('t');
      await harness.pass();
      expect(harness.workload('t')).toBeUndefined();
    });

    test('rule 5: running is said once', async () => {
      await running();
      await harness.pass();
      expect(harness.sink.states('t')).toEqual(['starting', 'running']);
    });

    test('a repeated kill ends it once', async () => {
      await running();
      await Promise.all([harness.backend.kill('t', 60), harness.backend.kill('t', 60)]);
      await until('killed');
      await harness.pass();
      expect(harness.sink.stored.get('t')).toEqual(['starting', 'running', 'killed']);
    });

    test('re-adoption: lost only when the submit was acknowledged', async () => {
      await harness.start([known('sent', 'ASSIGNED'), known('unsent', 'ASSIGNED', false)]);
      expect(harness.sink.states('sent')).toEqual(['lost']);
      await harness.pass();
      expect(harness.sink.states('unsent')).toEqual([]);
      await harness.submit('unsent');
      await until('running', 'unsent');
    });

    test('re-adoption: an assigned task hears what it missed, a pending or throttled one nothing', async () => {
      await running();
      await harness.restart([
        known('t', 'ASSIGNED'),
        known('p', 'PENDING'),
        known('q', 'THROTTLED'),
      ]);
      expect(harness.sink.last('t')?.state).toBe('running');
      await harness.pass();
      expect(new Set(harness.sink.told.map(({ taskId }) => taskId))).toEqual(new Set(['t']));
    });

    test('rule 8: a task that was partitioned is lost, not killed', async () => {
      await running();
      await harness.backend.kill('t', 60);
      await until('killed');
      await harness.restart([known('t', 'PARTITIONED')]);
      expect(harness.sink.states('t')).toEqual(['lost']);
    });

    test('stop detaches: nothing more is told, and the workload lives', async () => {
      await running();
      await harness.backend.stop();
      expect(harness.workload('t')).toBeDefined();
      await harness.exit('t', 0);
      expect(harness.sink.states('t')).toEqual(['starting', 'running']);
    });
  });
}
