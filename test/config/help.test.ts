/** Help and documentation come from the table of flags; here they are held against each other. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { FLAGS } from '../../src/config/flags.js';
import { describeFlags, helpText, wantsHelp } from '../../src/config/help.js';

const DOCUMENT = join(__dirname, '..', '..', 'docs', 'flags.md');

test('docs/flags.md is what the table says (UPDATE_DOCS=1 npx jest test/config rewrites it)', () => {
  if (process.env['UPDATE_DOCS'] !== undefined) writeFileSync(DOCUMENT, describeFlags());
  expect(readFileSync(DOCUMENT, 'utf8')).toBe(describeFlags());
});

test('--help fits on a screen, --help=all has everything', () => {
  const common = helpText('common').split('\n');
  expect(common.length).toBeLessThanOrEqual(50);
  expect(Math.max(...common.map((line) => line.length))).toBeLessThanOrEqual(100);
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
