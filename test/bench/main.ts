/**
 * `npm run bench -- NAME [--quick]`: speed as ratios within one run, against a ceiling or a peer; never a
 * pass or fail by the clock. Figures depend on the machine, ratios hardly.
 */
import { benchPulse } from './pulse.js';
import { benchRead } from './read.js';
import { benchStartup } from './startup.js';
import { benchUpdate } from './update.js';

const BENCHES: Readonly<Record<string, (quick: boolean) => Promise<void>>> = {
  pulse: benchPulse,
  update: benchUpdate,
  read: benchRead,
  startup: benchStartup,
};

async function main(argv: readonly string[]): Promise<void> {
  const [name] = argv.filter((arg) => !arg.startsWith('--'));
  const bench = name === undefined ? undefined : BENCHES[name];
  if (bench === undefined) {
    throw new Error(`usage: npm run bench -- ${Object.keys(BENCHES).join('|')} [--quick]`);
  }
  await bench(argv.includes('--quick'));
}

main(process.argv.slice(2)).catch((error: unknown) => {
  process.stderr.write(
    `${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`,
  );
  process.exitCode = 1;
});
