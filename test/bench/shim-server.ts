/** The whole shim in a process of its own, on the database and flags it is given. */
import { parseConfig } from '../../src/config/parse.js';
import { startApp } from '../../src/app.js';
import { createLog } from '../../src/observe/log.js';
import { surroundings } from '../../src/settings.js';
import { serveBench } from './server-process.js';
import { countStatements } from './watch.js';

async function main(): Promise<void> {
  countStatements();
  const parsed = parseConfig(process.argv.slice(2), {}, () => '', surroundings());
  if ('errors' in parsed) throw new Error(parsed.errors.join('; '));
  const log = createLog({ level: 'warn' });
  const app = await startApp({
    config: parsed.config,
    log,
    end: () => undefined,
    abort: () => undefined,
  });
  serveBench(app.port, () => app.stop());
}

main().catch((error: unknown) => {
  process.stderr.write(`${String(error)}\n`);
  process.exitCode = 1;
});
