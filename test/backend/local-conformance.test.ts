import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { KnownTask } from '../../src/backend/backend.js';
import { describeConformance, type ConformanceHarness } from './conformance.js';
import { compileBackend } from './support/compiled.js';
import { LocalWorld, lives } from './support/local-world.js';
import { until } from './support/wait.js';

const compiled = compileBackend();
afterAll(() => compiled.remove());

/** Runs until the file `code` appears in its sandbox, and exits with the number in it. */
const OBEDIENT = 'until [ -s code ]; do sleep 0.02; done; exit $(cat code)';

class LocalHarness implements ConformanceHarness {
  readonly #world = new LocalWorld(compiled, { firstRetryMs: 20, maxRetryMs: 40 });

  get backend() {
    return this.#world.backend;
  }

  get sink() {
    return this.#world.sink;
  }

  start(known: readonly KnownTask[] = []): Promise<void> {
    return this.#world.start(known);
  }

  /** A driver that is killed, rather than left, is in local-restart.test.ts. */
  restart(known: readonly KnownTask[]): Promise<void> {
    return this.#world.restart(known);
  }

  submit(taskId: string): Promise<void> {
    return this.#world.run(taskId, [{ name: 'main', cmdline: OBEDIENT }]);
  }

  async exit(taskId: string, code: number): Promise<void> {
    const dir = this.#world.dir(taskId);
    const supervisor = await this.#world.supervisorPid(taskId);
    await until('a sandbox', () => existsSync(dir.sandbox));
    writeFileSync(join(dir.sandbox, 'code'), String(code));
    await until('the supervisor is gone', () => !lives(supervisor));
  }

  workload(taskId: string): unknown {
    const last = this.#world.runs(taskId).pop();
    if (last?.type !== 'start' || last.pid === undefined || !lives(last.pid)) return undefined;
    return { pid: last.pid, startTime: last.startTime };
  }

  async until(what: string, condition: () => boolean): Promise<void> {
    await until(what, condition);
  }

  pass(): Promise<void> {
    return this.#world.pass();
  }

  close(): Promise<void> {
    return this.#world.close();
  }
}

describeConformance('local backend', () => new LocalHarness());
