/** Stops and removes the private Postgres of this Jest run, if any test asked for one. */
import { readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

export default async function globalTeardown(): Promise<void> {
  const directory = process.env['AURORA_TEST_RUN_DIR'];
  if (directory === undefined) return;
  if (process.env['AURORA_TEST_KEEP'] !== undefined) {
    process.stderr.write(`Databases kept: psql "$(cat ${join(directory, 'postgres', 'url')})"\n`);
    return;
  }
  const pid = runningServer(directory);
  if (pid !== undefined) {
    // Immediate: nothing in there is worth a checkpoint.
    process.kill(pid, 'SIGQUIT');
    for (let waited = 0; waited < 10_000 && runningServer(directory) === pid; waited += 20) {
      await sleep(20);
    }
  }
  rmSync(directory, { recursive: true, force: true });
}

function runningServer(directory: string): number | undefined {
  try {
    const file = readFileSync(join(directory, 'postgres', 'data', 'postmaster.pid'), 'utf8');
    const pid = Number.parseInt(file, 10);
    process.kill(pid, 0);
    return pid;
  } catch {
    return undefined;
  }
}
