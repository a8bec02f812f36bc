/**
 * `aurora-shim demo`: a newcomer's first minute. A service of real processes is updated under the eyes of
 * a monitor, which is heard, lost, heard again, and says stop; then the scheduler itself is killed. Fails
 * when anything is not as told.
 */
import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client } from 'pg';
import type { UpdateKey } from './demo/cluster.js';
import { DemoCluster, INSTANCES, PULSE_TIMEOUT_MS } from './demo/cluster.js';
import type { InstanceView, Screen } from './demo/screen.js';
import { LEGEND, table, terminalScreen } from './demo/screen.js';
import { DemoServer, sleep } from './demo/server.js';

export const DEMO_HELP = `Usage: aurora-shim demo

Starts a scheduler with an embedded Postgres and real processes in a temporary directory, takes a
coordinated update through lost heartbeats, an explicit pause and a kill -9 of the scheduler, shows the
audit trail, and removes everything. Takes about a minute; nothing outside that directory is touched.
`;

const WATCH_MS = 250;
const STEP_LIMIT_MS = 60_000;
const PULSE_MS = 500;

export async function demo(
  argv: readonly string[],
  { mainScript }: { readonly mainScript: string },
): Promise<number> {
  if (argv.length > 0) throw new Error(`demo takes no arguments, not ${argv[0]}`);
  const dir = mkdtempSync(join(tmpdir(), 'aurora-shim-demo-'));
  // Started by root, Postgres runs as somebody else, who must get to its data.
  chmodSync(dir, 0o711);
  const server = new DemoServer({
    mainScript,
    dir,
    flags: ['--nosetuid=true', '--cluster_name=demo'],
  });
  const story = new Story(server, terminalScreen(process.stdout));
  const interrupted = new Promise<never>((_, reject) => {
    for (const signal of ['SIGINT', 'SIGTERM'] as const) {
      process.on(signal, () => reject(new Error(`ended by ${signal}`)));
    }
  });
  try {
    await Promise.race([story.tell(), interrupted]);
    return 0;
  } finally {
    await story.end();
    rmSync(dir, { recursive: true, force: true });
  }
}

class Story {
  private cluster: DemoCluster | undefined;
  private key: UpdateKey | undefined;
  private monitor: NodeJS.Timeout | undefined;

  constructor(
    private readonly server: DemoServer,
    private readonly screen: Screen,
  ) {}

  async tell(): Promise<void> {
    const { screen } = this;
    screen.heading(
      `1. A scheduler, an embedded Postgres, and a service of ${INSTANCES} real processes`,
    );
    screen.line(LEGEND);
    await this.startServer();
    await this.api.createJob();
    await this.until(
      'all instances run',
      (_, tasks) => tasks.filter(isRunning).length === INSTANCES,
    );
    screen.line(`${INSTANCES} instances of version 1 are running`);

    screen.heading('2. A coordinated update starts, and nothing moves without a heartbeat');
    this.key = await this.api.startUpdate();
    screen.line(`blockIfNoPulsesAfterMs is ${PULSE_TIMEOUT_MS}; nobody pulses yet`);
    await this.holds('ROLL_FORWARD_AWAITING_PULSE', 3_000);

    screen.heading('3. A monitor pulses twice a second: it rolls');
    this.startMonitor();
    await this.until(
      'two instances are updated',
      (_, tasks) => tasks.filter(isUpdated).length >= 2,
    );

    screen.heading(
      '4. The monitor is lost: the update stops by itself, running tasks are left alone',
    );
    this.stopMonitor();
    await this.until(
      'the heartbeat is stale',
      (status) => status === 'ROLL_FORWARD_AWAITING_PULSE',
    );
    await this.holds('ROLL_FORWARD_AWAITING_PULSE', 3_000);

    screen.heading('5. The monitor is back: the next pulse resumes it');
    this.startMonitor();
    await this.until('it rolls again', (status) => status === 'ROLLING_FORWARD');
    await this.until(
      'three instances are updated',
      (_, tasks) => tasks.filter(isUpdated).length >= 3,
    );

    screen.heading(
      '6. The monitor sees a problem and says pause: that holds although pulses arrive',
    );
    await this.api.pause(this.updateKey, 'error rate above 1 %');
    await this.holds('ROLL_FORWARD_PAUSED', 4_000);

    screen.heading(
      '7. kill -9 of the scheduler: tasks live on, the pause is still there after a restart',
    );
    this.stopMonitor();
    const before = await this.api.instances();
    await this.server.kill9();
    screen.line('killed; starting it again');
    await this.startServer();
    this.startMonitor();
    await this.holds('ROLL_FORWARD_PAUSED', 3_000);
    requireSame(before, await this.api.instances());

    screen.heading('8. Resume, and with the next pulse it goes on to its end');
    await this.api.resume(this.updateKey, 'error rate is back to normal');
    await this.until('it is done', (status) => status === 'ROLLED_FORWARD');
    this.stopMonitor();

    screen.heading('9. What an auditor reads in psql: SELECT ... FROM update_timeline');
    for (const line of table(await this.timeline())) screen.line(line);
    screen.heading('Done. Everything is stopped and removed.');
  }

  /** Stops and removes whatever was started, however far the story came. */
  async end(): Promise<void> {
    this.stopMonitor();
    try {
      if (this.cluster !== undefined) {
        await this.cluster.killJob().catch(() => undefined);
        await this.waitFor(
          async () => !(await this.api.instances()).some(isActive),
          'tasks to end',
        );
      }
    } catch {
      // The scheduler is gone: so is the demo; its tasks' own supervisors are told below.
    }
    this.cluster?.close();
    await this.server.stop();
  }

  private get api(): DemoCluster {
    if (this.cluster === undefined) throw new Error('the scheduler does not run');
    return this.cluster;
  }

  private get updateKey(): UpdateKey {
    if (this.key === undefined) throw new Error('no update was started');
    return this.key;
  }

  private async startServer(): Promise<void> {
    this.cluster?.close();
    await this.server.start();
    this.cluster = new DemoCluster(this.server.url);
    this.screen.line(`serving on ${this.server.url} (pid ${this.server.pid})`);
  }

  private startMonitor(): void {
    const beat = (): void => void this.api.pulse(this.updateKey).catch(() => undefined);
    beat();
    this.monitor = setInterval(beat, PULSE_MS);
  }

  private stopMonitor(): void {
    clearInterval(this.monitor);
  }

  private async look(): Promise<{ status: string; tasks: InstanceView[] }> {
    const status = this.key === undefined ? '' : await this.api.status(this.key);
    const tasks = await this.api.instances();
    this.screen.progress(status, tasks);
    return { status, tasks };
  }

  private async until(
    what: string,
    reached: (status: string, tasks: readonly InstanceView[]) => boolean,
  ): Promise<void> {
    await this.waitFor(async () => {
      const { status, tasks } = await this.look();
      return reached(status, tasks);
    }, what);
  }

  private async waitFor(reached: () => Promise<boolean>, what: string): Promise<void> {
    const giveUpAt = performance.now() + STEP_LIMIT_MS;
    while (!(await reached())) {
      if (performance.now() > giveUpAt) throw new Error(`waited in vain for this: ${what}`);
      await sleep(WATCH_MS);
    }
  }

  /** For this long the status stays, and no instance is touched. */
  private async holds(status: string, ms: number): Promise<void> {
    // What was decided before it stopped may still be on its way.
    await this.until('what is under way to settle', (_, tasks) => tasks.every(isSettled));
    const before = await this.look();
    for (let waited = 0; waited < ms; waited += WATCH_MS) {
      await sleep(WATCH_MS);
      const now = await this.look();
      if (now.status !== status) throw new Error(`the status became ${now.status}, not ${status}`);
      requireSame(before.tasks, now.tasks);
    }
    this.screen.line(`for ${ms / 1000} s: ${status}, nothing moved`);
  }

  private async timeline(): Promise<Record<string, unknown>[]> {
    const client = new Client({ connectionString: this.server.databaseUrl });
    await client.connect();
    try {
      const { rows } = await client.query<Record<string, unknown>>(`
        SELECT to_char(happened_at, 'HH24:MI:SS.MS') AS time, what, instance_id AS instance,
               user_name AS "user", message
          FROM update_timeline ORDER BY seq`);
      return rows;
    } finally {
      await client.end();
    }
  }
}

const isRunning = (task: InstanceView): boolean => task.status === 'RUNNING';
const isUpdated = (task: InstanceView): boolean => task.isNew && isRunning(task);
const isSettled = (task: InstanceView): boolean => isRunning(task) || !isActive(task);
const isActive = (task: InstanceView): boolean =>
  !['FINISHED', 'FAILED', 'KILLED', 'LOST'].includes(task.status);

function requireSame(before: readonly InstanceView[], now: readonly InstanceView[]): void {
  if (JSON.stringify(before) !== JSON.stringify(now)) {
    throw new Error('an instance was touched although the update must not move');
  }
}
