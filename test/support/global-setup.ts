/**
 * Names the folder of this Jest run's private Postgres (test/support/database.ts makes it on first use,
 * in whichever worker comes first) before the workers inherit the environment.
 */
import { spawn } from 'node:child_process';
import { chmodSync, mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export default function globalSetup(): void {
  const directory = mkdtempSync(join(tmpdir(), 'aurora-shim-test-'));
  chmodSync(directory, 0o711); // as root the server runs as another user
  process.env['AURORA_TEST_RUN_DIR'] = directory;
  if (process.env['AURORA_TEST_KEEP'] !== undefined) return;

  // A Jest that is killed runs no teardown: this waits for its end and then does the same.
  const script = join(directory, 'clean-up.sh');
  writeFileSync(script, CLEAN_UP);
  spawn('/bin/sh', [script, String(process.pid), directory], {
    detached: true,
    stdio: 'ignore',
  }).unref();
}

const CLEAN_UP = `
while kill -0 "$1" 2>/dev/null && [ -d "$2" ]; do sleep 1; done
[ -d "$2" ] || exit 0
read pid <"$2/postgres/data/postmaster.pid" && kill -QUIT "$pid"
sleep 1
rm -rf "$2"
`;
