import type { KnownTask } from '../../src/backend/backend.js';
import { SimulatedBackend } from '../../src/backend/simulated/simulated-backend.js';
import {
  SimulatedCluster,
  type SimulatedClusterOptions,
  type SimulatedScript,
} from '../../src/backend/simulated/simulated-cluster.js';
import { describeConformance, type ConformanceHarness } from './conformance.js';
import { ManualTime, turn } from './support/manual-time.js';
import { RecordingSink } from './support/recording-sink.js';
import { aSubmit, aTarget } from './support/requests.js';

function aWorld(options: Partial<SimulatedClusterOptions> = {}) {
  const time = new ManualTime();
  const sink = new RecordingSink();
  const cluster = new SimulatedCluster({ clock: time, timers: time, ...options });
  const backend = new SimulatedBackend(cluster, { clock: time, timers: time });
  return { time, sink, cluster, backend };
}

describe('simulated backend', () => {
  test('announces its hosts, then starts and runs a task without time passing', async () => {
    const { sink, backend } = aWorld();
    await backend.start(sink, []);
    expect(sink.hosts.map(({ host, up }) => ({ host, up }))).toEqual([
      { host: 'localhost', up: true },
    ]);
    await backend.submit(aSubmit('t'));
    await backend.idle();
    expect(sink.states('t')).toEqual(['starting', 'running']);
    expect(backend.pendingEvents).toBe(0);
  });

  test('follows the script of each task', async () => {
    const scripts: Record<string, SimulatedScript> = {
      slow: { startDelayMs: 100, runDelayMs: 200, exitAfterMs: 300, exitState: 'failed' },
      stuck: { neverStarts: true },
      deaf: { ignoresKill: true },
      tough: { killDelayMs: 50 },
    };
    const { time, sink, backend } = aWorld({ script: ({ taskId }) => scripts[taskId] });
    await backend.start(sink, []);
    for (const id of ['slow', 'stuck', 'deaf', 'tough']) await backend.submit(aSubmit(id));
    await turn();
    expect(sink.states('slow')).toEqual([]);
    await time.advance(100);
    expect(sink.states('slow')).toEqual(['starting']);
    await time.advance(499);
    expect(sink.states('slow')).toEqual(['starting', 'running']);
    await time.advance(1);
    expect(sink.states('slow')).toEqual(['starting', 'running', 'failed']);
    for (const id of ['stuck', 'deaf', 'tough']) await backend.kill(id);
    await time.advance(49);
    expect(sink.states('tough')).toEqual(['starting', 'running']);
    await time.advance(1);
    expect(sink.last('tough')?.state).toBe('killed');
    expect(sink.states('stuck')).toEqual(['killed']);
    expect(sink.states('deaf')).toEqual(['starting', 'running']);
    expect(time.armed).toBe(0);
  });

  test('a scripted submit error rejects and leaves nothing', async () => {
    const { sink, backend, cluster } = aWorld({ script: () => ({ submitError: 'no' }) });
    await backend.start(sink, []);
    await expect(backend.submit(aSubmit('t'))).rejects.toThrow('no');
    expect(cluster.liveTasks()).toEqual([]);
  });

  test('held steps wait for their release', async () => {
    const { time, sink, backend, cluster } = aWorld();
    await backend.start(sink, []);
    cluster.hold();
    await backend.submit(aSubmit('t'));
    await time.advance(1000);
    expect(sink.told).toEqual([]);
    cluster.release();
    await backend.idle();
    expect(sink.states('t')).toEqual(['starting', 'running']);
    cluster.hold('t');
    await backend.kill('t');
    await time.advance(1000);
    expect(sink.ended('t')).toBe(false);
    cluster.release('t');
    await backend.idle();
    expect(sink.last('t')?.state).toBe('killed');
  });

  test('a refused event is told again, later and later, and what follows waits behind it', async () => {
    const { time, sink, backend } = aWorld();
    await backend.start(sink, []);
    let refusals = 3;
    sink.refuse = () => {
      if (refusals-- > 0) throw new Error('no database');
    };
    await backend.submit(aSubmit('t'));
    await backend.idle();
    expect(sink.states('t')).toEqual(['starting']);
    await time.advance(200);
    expect(sink.states('t')).toEqual(['starting', 'starting']);
    await time.advance(399);
    expect(sink.states('t')).toHaveLength(2);
    await time.advance(1);
    await time.advance(800);
    expect(sink.states('t')).toEqual(['starting', 'starting', 'starting', 'starting', 'running']);
    expect(sink.stored.get('t')).toEqual(['starting', 'running']);
  });

  test('a crashed host loses its tasks and then itself; restored, it takes new ones', async () => {
    const { sink, backend, cluster } = aWorld({ hosts: [{ host: 'a' }, { host: 'b' }] });
    await backend.start(sink, []);
    const on = (host: string) => ({ target: aTarget({ host, agentId: `agent-${host}` }) });
    await backend.submit(aSubmit('t1', on('a')));
    await backend.submit(aSubmit('t2', on('b')));
    cluster.crashHost('a');
    await backend.idle();
    expect(sink.last('t1')).toMatchObject({ state: 'lost', reason: 'node', host: 'a' });
    expect(sink.last('t2')?.state).toBe('running');
    expect(sink.hosts[sink.hosts.length - 1]).toMatchObject({ host: 'a', up: false });
    await backend.submit(aSubmit('t3', on('a')));
    cluster.restoreHost('a');
    await backend.submit(aSubmit('t4', on('a')));
    await backend.idle();
    expect(sink.states('t3')).toEqual(['lost']);
    expect(sink.last('t4')?.state).toBe('running');
  });

  test('reported states are taken over, stray ones only told', async () => {
    const { sink, backend, cluster } = aWorld();
    await backend.start(sink, []);
    await backend.submit(aSubmit('t'));
    cluster.report('t', 'failed', 'out of luck', 'memory');
    cluster.report('t', 'running');
    cluster.report('nobody', 'running');
    await backend.idle();
    expect(sink.states('t')).toEqual(['starting', 'running', 'failed', 'running']);
    expect(sink.told).toContainEqual(
      expect.objectContaining({ state: 'failed', message: 'out of luck', reason: 'memory' }),
    );
    expect(cluster.task('t')?.state).toBe('failed');
    expect(sink.states('nobody')).toEqual(['running']);
  });

  test('a workload killed while unreachable is lost (rule 8)', async () => {
    const { sink, backend, cluster } = aWorld();
    await backend.start(sink, []);
    await backend.submit(aSubmit('t'));
    cluster.report('t', 'unreachable');
    await backend.kill('t');
    await backend.idle();
    expect(sink.last('t')?.state).toBe('lost');
  });

  test('ten thousand tasks start and are killed; ended ones are forgotten beyond the limit', async () => {
    const { sink, backend, cluster } = aWorld({ endedKept: 100 });
    await backend.start(sink, []);
    const ids = Array.from({ length: 10_000 }, (_, index) => `t${index}`);
    for (const id of ids) await backend.submit(aSubmit(id));
    await backend.idle();
    expect(cluster.liveCount).toBe(10_000);
    for (const id of ids) await backend.kill(id);
    await backend.idle();
    expect(cluster.liveCount).toBe(0);
    expect(sink.told).toHaveLength(30_000);
    expect(cluster.task('t9899')).toBeUndefined();
    expect(cluster.task('t9900')?.state).toBe('killed');
  });
});

class SimulatedHarness implements ConformanceHarness {
  readonly #time = new ManualTime();
  readonly #cluster = new SimulatedCluster({ clock: this.#time, timers: this.#time });
  sink = new RecordingSink();
  backend = this.#make();

  start(known: readonly KnownTask[] = []): Promise<void> {
    return this.backend.start(this.sink, known);
  }

  async restart(known: readonly KnownTask[], how: 'stop' | 'crash' = 'stop'): Promise<void> {
    if (how === 'stop') await this.backend.stop();
    this.sink = new RecordingSink();
    this.backend = this.#make();
    await this.start(known);
  }

  submit(taskId: string): Promise<void> {
    return this.backend.submit(aSubmit(taskId));
  }

  async exit(taskId: string, code: number): Promise<void> {
    this.#cluster.report(taskId, code === 0 ? 'finished' : 'failed');
    await turn();
  }

  workload(taskId: string): unknown {
    return this.#cluster.liveTasks().find((task) => task.taskId === taskId);
  }

  async until(what: string, condition: () => boolean): Promise<void> {
    for (let step = 0; step < 1000; step++) {
      if (condition()) return;
      await this.#time.advance(100);
    }
    throw new Error(`never: ${what}`);
  }

  pass(): Promise<void> {
    return this.#time.advance(60_000);
  }

  close(): Promise<void> {
    return this.backend.stop();
  }

  #make(): SimulatedBackend {
    return new SimulatedBackend(this.#cluster, { clock: this.#time, timers: this.#time });
  }
}

describeConformance('simulated backend', () => new SimulatedHarness());
