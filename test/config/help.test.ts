/** Help and documentation come from the table of flags; here they are held against each other. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { FLAGS, type Flag } from '../../src/config/flags.js';
import { describeFlags, helpText, wantsHelp } from '../../src/config/help.js';

const DOCUMENT = join(__dirname, '..', '..', 'docs', 'flags.md');

test('docs/flags.md is what the table says (UPDATE_DOCS=1 npx jest test/config rewrites it)', () => {
  if (process.env['UPDATE_DOCS'] !== undefined) writeFileSync(DOCUMENT, describeFlags());
  expect(readFileSync(DOCUMENT, 'utf8')).toBe(describeFlags());
});

test('--help fits on one screen', () => {
  const lines = helpText('common').trimEnd().split('\n');
  expect(lines.length).toBeLessThanOrEqual(30);
  expect(Math.max(...lines.map((line) => line.length))).toBeLessThanOrEqual(100);
});

test('--help shows only flags that can be used', () => {
  const table: Readonly<Record<string, Flag<unknown>>> = FLAGS;
  const common = Object.keys(table).filter((name) => table[name]?.common);
  for (const name of common) expect(helpText('common')).toContain(`--${name} `);
  expect(common.filter((name) => table[name]?.notYet)).toEqual([]);
  const refused = [
    'http_authentication_mechanism',
    'webhook_config',
    'custom_executor_config',
    'global_container_mounts',
    'standby_proxy',
  ];
  expect(common.filter((name) => refused.includes(name))).toEqual([]);
  expect(helpText('common')).not.toMatch(/kubernetes|no effect/);
});

test('--help=all has everything', () => {
  const all = helpText('all');
  for (const name of Object.keys(FLAGS)) expect(all).toContain(`--${name} `);
  expect(all).toContain('mesos_*');
});

test.each([
  [['--http_port=1'], undefined],
  [['--http_port=1', '--help'], 'common'],
  [['-help'], 'common'],
  [['-h'], 'common'],
  [['--help=all'], 'all'],
])('%j asks for %s', (argv, expected) => expect(wantsHelp(argv)).toBe(expected));
