/**
 * Runs a folder of tests by itself, with options Jest would not know: `run-suite.ts properties --runs 10000`
 * sets AURORA_PROPERTIES_RUNS for `jest test/properties`.
 */
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { parseArgs } from 'node:util';

const SUITES: Readonly<Record<string, readonly string[]>> = {
  properties: ['runs', 'seed', 'path', 'shrink'],
  crash: ['kills', 'seed'],
};

const [suite = '', ...args] = process.argv.slice(2);
const names = SUITES[suite];
if (names === undefined) throw new Error(`no suite '${suite}': ${Object.keys(SUITES).join(', ')}`);
const { values } = parseArgs({
  args,
  options: Object.fromEntries(names.map((name) => [name, { type: 'string' as const }])),
});
const settings = Object.fromEntries(
  Object.entries(values).map(([name, value]) => [
    `AURORA_${suite}_${name}`.toUpperCase(),
    String(value),
  ]),
);
const jest = join(__dirname, '..', '..', 'node_modules', 'jest', 'bin', 'jest.js');
const { status } = spawnSync(process.execPath, [jest, `test/${suite}/`], {
  stdio: 'inherit',
  env: { ...process.env, ...settings },
});
process.exitCode = status ?? 1;
