/**
 * The scheduler is killed over and over while it updates a job of real processes (design, invariants 1, 2
 * and 4): what was answered holds, nothing acts before the new process gets a heartbeat, no instance has two
 * tasks, and in the end everything is as the last update wanted it.
 *
 * `npm run test:crash -- --kills 100 --seed N`; seed and counts are printed.
 */
import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { findByHome } from '../../src/backend/local/leftovers.js';
import { killedForUpdate } from '../../src/core/task/messages.js';
import type { UpdateKey } from '../e2e/cluster.js';
import { Cluster, until, WEB } from '../e2e/cluster.js';
import { Dice } from '../properties/support/plans.js';
import { lives } from '../support/server-process.js';

const given = (name: string): string | undefined => process.env[`AURORA_CRASH_${name}`];
const KILLS = Number(given('KILLS') ?? 6);
const SEED = Number(given('SEED') ?? Date.now() % 2 ** 31);

const INSTANCES = 4;
const GROUP = 2;
/** P is long: what is found blocked is so because of the restart. */
const PULSE_MS = 600_000;
/** The longest time from the first pulse to the end of the process. */
const LONGEST_LIFE_MS = 2_000;
const LONGEST_PAUSE_MS = 400;
const PULSE_EVERY_MS = 150;

jest.setTimeout(120_000 + KILLS * 30_000);

type Verb = 'pause' | 'resume' | 'rollback' | 'abort';

/** A call to change an update; what it asked for holds from its answer on. */
interface Call {
  readonly verb: Verb;
  readonly message: string;
  isAnswered: boolean;
}

/** What is stored, as far as a restart must not change it. */
interface Stored {
  readonly state: string;
  readonly tasks: ReadonlySet<string>;
  readonly kills: number;
  readonly messages: ReadonlySet<string>;
}

const HOLDS: Readonly<Record<Verb, RegExp>> = {
  pause: /PAUSED$/,
  resume: /^ROLL(ING|ED)_/,
  rollback: /^(ROLLING_BACK|ROLLED_BACK)$/,
  abort: /^ABORTED$/,
};

/** Each version runs another command line, so that a process shows whose it is. */
const secondsOf = (version: number): string => String(100_000 + version);

class Crashes {
  readonly counts = { kills: 0, updates: 0, answered: 0, unanswered: 0, blocked: 0, witnessed: 0 };
  private readonly dice = new Dice(SEED);
  private version = 1;
  private key: UpdateKey | undefined;
  private calls: Call[] = [];
  private callsMade = 0;
  private over = false;

  constructor(private readonly cluster: Cluster) {}

  async run(): Promise<void> {
    await this.cluster.createJob(WEB, `exec sleep ${secondsOf(1)}`, INSTANCES);
    while (this.counts.kills < KILLS) await this.life();
    await this.finish();
  }

  /** One life of the process, from its first pulse to its violent end and what is found after it. */
  private async life(): Promise<void> {
    await this.ensureUpdate();
    this.over = false;
    const users = [this.monitor(), this.user()];
    await sleep(this.dice.below(LONGEST_LIFE_MS));
    this.over = true;
    await this.cluster.kill9();
    this.counts.kills += 1;
    await Promise.all(users);
    const before = await this.stored();
    this.expectCallsHold(before);
    await this.cluster.restart();
    await this.expectNothingMoves(before);
  }

  private async ensureUpdate(): Promise<void> {
    if (
      this.key !== undefined &&
      !/^(ROLLED|ABORTED|FAILED|ERROR)/.test((await this.stored()).state)
    ) {
      return;
    }
    this.key = await this.startUpdate();
    this.calls = [];
  }

  private async startUpdate(): Promise<UpdateKey> {
    this.version += 1;
    this.counts.updates += 1;
    return this.cluster.startUpdate(WEB, {
      ...{ version: String(this.version), pulseMs: PULSE_MS, message: 'm' },
      ...{ cmdline: `exec sleep ${secondsOf(this.version)}` },
      ...{ instanceCount: INSTANCES, groupSize: GROUP },
    });
  }

  // ------------------------------------------------------------------------------------------------- users

  private async monitor(): Promise<void> {
    while (!this.over) {
      await this.cluster.pulse(this.current).catch(() => undefined);
      await sleep(PULSE_EVERY_MS);
    }
  }

  /** Pauses more than anything else, and resumes what it paused. */
  private async user(): Promise<void> {
    while (!this.over) {
      const state = await this.cluster.view(this.current).catch(() => '');
      const isPaused = /PAUSED$/.test(state);
      await sleep(this.dice.below(isPaused ? LONGEST_PAUSE_MS : LONGEST_LIFE_MS));
      if (!this.over) await this.call(isPaused ? 'resume' : this.anyVerb());
    }
  }

  private anyVerb(): Verb {
    const chance = this.dice.below(20);
    if (chance === 0) return 'abort';
    return chance < 3 ? 'rollback' : 'pause';
  }

  private async call(verb: Verb): Promise<void> {
    const call: Call = { verb, message: `call ${this.callsMade++}`, isAnswered: false };
    this.calls.push(call);
    try {
      const args = { key: this.current, message: call.message };
      const { responseCode } = await this.cluster.ask(METHODS[verb], args);
      // Refused, it asked for nothing: the update had ended.
      if (responseCode === 'INVALID_REQUEST') this.calls.pop();
      call.isAnswered = responseCode === 'OK';
    } catch {
      // The process died under it: nobody knows.
    }
    this.counts[call.isAnswered ? 'answered' : 'unanswered'] += 1;
  }

  private get current(): UpdateKey {
    if (this.key === undefined) throw new Error('no update was started');
    return this.key;
  }

  // --------------------------------------------------------------------------------------- what must hold

  private async stored(): Promise<Stored> {
    const { id } = this.current;
    const [update] = await this.cluster.sql('SELECT state FROM job_updates WHERE update_id = $1', [
      id,
    ]);
    const events = await this.cluster.sql(
      'SELECT message FROM job_update_events WHERE update_id = $1',
      [id],
    );
    const tasks = await this.cluster.sql('SELECT task_id FROM tasks WHERE job_name = $1', [
      WEB.name,
    ]);
    const kills = await this.cluster.sql('SELECT FROM task_events WHERE message = $1', [
      killedForUpdate(id),
    ]);
    return {
      state: String(update?.['state']),
      messages: new Set(events.map((row) => String(row['message']))),
      tasks: new Set(tasks.map((row) => String(row['task_id']))),
      kills: kills.length,
    };
  }

  private expectCallsHold({ state, messages }: Stored): void {
    const last = this.calls.at(-1);
    if (last?.isAnswered !== true) return;
    if (messages.has(last.message)) expect(state).toMatch(HOLDS[last.verb]);
    // Nothing to change then: it was so already, or has ended since.
    else expect(state).toMatch(/^ROLL/);
  }

  /** The new process serves and has not been pulsed. */
  private async expectNothingMoves(before: Stored): Promise<void> {
    await this.expectOneTaskEach();
    const isRolling = /^ROLLING_/.test(before.state);
    if (isRolling) {
      await until('the update is on record as blocked', async () =>
        /AWAITING_PULSE/.test((await this.cluster.storedEvents(this.current)).at(-1) ?? ''),
      );
      expect(await this.cluster.view(this.current)).toMatch(/AWAITING_PULSE$/);
      this.counts.blocked += 1;
    }
    if (this.counts.kills % 10 === 0) {
      await this.cluster.letTimePass();
      this.counts.witnessed += 1;
    }
    const after = await this.stored();
    expect(after.state).toBe(before.state);
    expect(after.kills).toBe(before.kills);
    expect([...after.tasks].filter((id) => !before.tasks.has(id))).toEqual([]);
    for (const { message, isAnswered } of this.calls) {
      if (isAnswered && before.messages.has(message)) expect(after.messages).toContain(message);
    }
    this.expectCallsHold(after);
  }

  private async expectOneTaskEach(): Promise<void> {
    const twice = await this.cluster.sql(
      `SELECT instance_id FROM tasks WHERE job_name = $1 AND removed_at IS NULL
          AND status NOT IN ('FINISHED', 'FAILED', 'KILLED', 'LOST')
        GROUP BY instance_id HAVING count(*) > 1`,
      [WEB.name],
    );
    expect(twice).toEqual([]);
    // Nor are there two processes of one instance: the machine itself is asked.
    const running = processesBelow(this.cluster.server.stateDir).filter(isSleeper(WEB.name));
    const instances = running.map(({ instance }) => instance);
    expect(new Set(instances).size).toBe(instances.length);
  }

  /** Nobody interferes any more: the update ends, and another one brings everything to one version. */
  private async finish(): Promise<void> {
    await this.ensureUpdate();
    await this.pulseToTheEnd();
    if ((await this.stored()).state !== 'ROLLED_FORWARD') {
      this.key = await this.startUpdate();
      await this.pulseToTheEnd();
    }
    expect((await this.stored()).state).toBe('ROLLED_FORWARD');
    const live = await this.cluster.live(WEB);
    expect(live.map(({ instanceId, version }) => `${instanceId} ${version}`)).toEqual(
      [...Array(INSTANCES).keys()].map((id) => `${id} ${this.version}`),
    );
    for (const { pid, status } of live) {
      expect(status).toBe('RUNNING');
      expect(lives(pid)).toBe(true);
      expect(commandLine(pid)).toEqual(['sleep', secondsOf(this.version)]);
    }
    await this.expectNothingLeft(new Set(live.map(({ pid }) => pid)));
  }

  private async pulseToTheEnd(): Promise<void> {
    await until('the update has ended', async () => {
      await this.cluster.pulse(this.current);
      const { state } = await this.stored();
      if (/PAUSED$/.test(state)) await this.cluster.resume(this.current, 'at last');
      return /^(ROLLED|ABORTED|FAILED)/.test(state);
    });
  }

  /** Of all generations there were, only the last one's processes live, and no command waits. */
  private async expectNothingLeft(last: ReadonlySet<number>): Promise<void> {
    await until('the backend has taken every command', async () => {
      return (await this.cluster.sql('SELECT FROM backend_commands')).length === 0;
    });
    await until('processes of old generations are gone', () =>
      Promise.resolve(
        processesBelow(this.cluster.server.stateDir)
          .filter(isSleeper(WEB.name))
          .every(({ pid }) => last.has(pid)),
      ),
    );
  }
}

const METHODS: Readonly<Record<Verb, string>> = {
  pause: 'pauseJobUpdate',
  resume: 'resumeJobUpdate',
  rollback: 'rollbackJobUpdate',
  abort: 'abortJobUpdate',
};

interface Found {
  readonly pid: number;
  readonly job: string;
  readonly instance: string;
  readonly command: string;
}

/** Every process that has the sandbox of a task below this state directory for its home. */
function processesBelow(stateDir: string): Found[] {
  const tasks = join(stateDir, 'tasks');
  return readdirSync(tasks).flatMap((hash) => {
    const dir = join(tasks, hash);
    const taskId = taskOf(dir);
    if (taskId === undefined) return [];
    const [, , job = '', instance = ''] = taskId.split('-');
    return findByHome(join(dir, 'run', 'sandbox')).map(({ pid }) => ({
      ...{ pid, job, instance },
      command: commandLine(pid)[0] ?? '',
    }));
  });
}

/** Undefined when the directory was removed meanwhile, or nothing was started in it yet. */
function taskOf(dir: string): string | undefined {
  try {
    const text = readFileSync(join(dir, 'spec.json'), 'utf8');
    return (JSON.parse(text) as { taskId: string }).taskId;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

const isSleeper =
  (jobName: string) =>
  ({ job, command }: Found): boolean =>
    job === jobName && command === 'sleep';

function commandLine(pid: number): string[] {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0').slice(0, -1);
  } catch {
    return [];
  }
}

test(`a scheduler killed ${KILLS} times during coordinated updates keeps its word and finishes them`, async () => {
  const begun = performance.now();
  const cluster = await Cluster.start();
  await cluster.startWitness();
  const crashes = new Crashes(cluster);
  try {
    await crashes.run();
  } finally {
    const seconds = Math.round((performance.now() - begun) / 1_000);
    process.stderr.write(
      `crash: ${JSON.stringify(crashes.counts)} in ${seconds} s; --kills ${KILLS} --seed ${SEED}\n`,
    );
    await cluster.close();
  }
});
