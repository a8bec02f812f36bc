/** Files that flags name: what is wrong with one is told with flag and file. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseConfig } from '../../src/config/parse.js';
import { validationLimits } from '../../src/settings.js';

function limitsWith(path: string): () => unknown {
  const argv = [`--tier_config=${path}`];
  const parsed = parseConfig(argv, {}, () => '', { dataDir: '/data', isRoot: false });
  if ('errors' in parsed) throw new Error(parsed.errors.join('\n'));
  return () => validationLimits(parsed.config, () => undefined);
}

test('a tier file that cannot be read', () => {
  expect(limitsWith('/nope')).toThrow(/^--tier_config=\/nope: ENOENT: no such file/);
});

test('a tier file that is wrong', () => {
  const dir = mkdtempSync(join(tmpdir(), 'tiers-'));
  const path = join(dir, 'tiers.json');
  writeFileSync(path, '{"tiers": 1}');
  expect(limitsWith(path)).toThrow(`--tier_config=${path}: tier configuration: `);
  rmSync(dir, { recursive: true });
});
