/**
 * Entry of a task's supervisor process: `node supervisor-main.js <state directory> <task directory's name>`.
 *
 * Exit codes: 0 the end status is recorded, or another supervisor has this task; 101 it is not (the driver
 * then reports `lost`, thermos.md §2.8).
 */
import { identityOf } from './identity.js';
import { KILL_MESSAGE, Supervisor } from './supervisor.js';
import { TaskDir } from './task-dir.js';

/** Between SIGTERM and SIGKILL when nobody said (thermos.md §2.4). */
const DEFAULT_GRACE_SECS = 60;

async function main(): Promise<void> {
  const [stateDir, hash] = process.argv.slice(2);
  if (stateDir === undefined || hash === undefined) throw new Error('usage: <state dir> <name>');
  const dir = new TaskDir(stateDir, hash);
  const spec = dir.readSpec();
  const self = identityOf(process.pid);
  if (spec === undefined || self === undefined)
    throw new Error(`nothing to supervise in ${dir.path}`);

  const supervisor = new Supervisor(dir, spec);
  const stop = (): void => {
    const kill = dir.readKill();
    // Without a request of ours it is the machine, or a person, that ends the supervisor.
    if (kill === undefined) supervisor.stop('Supervisor shut down.', DEFAULT_GRACE_SECS);
    else supervisor.stop(KILL_MESSAGE, kill.graceSecs);
  };
  // Before the claim: whoever reads it may signal at once.
  process.on('SIGTERM', stop);
  process.on('SIGINT', stop);
  process.on('SIGHUP', () => {});
  const fail = (error: unknown): void => {
    console.error(error);
    supervisor.abandon();
    process.exit(101);
  };
  process.on('uncaughtException', fail);
  if (!dir.claim(self)) return;
  await supervisor.run().catch(fail);
}

main().then(
  () => process.exit(0),
  (error: unknown) => {
    console.error(error);
    process.exit(101);
  },
);
