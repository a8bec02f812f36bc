/** Where data goes when nobody says (design.md D14). */
import { chooseDataDir } from '../../src/config/data-dir.js';

test.each([
  ['linux', false, undefined, '/home/me/.local/share/aurora-shim'],
  ['linux', false, '/data', '/data/aurora-shim'],
  ['linux', false, 'relative', '/home/me/.local/share/aurora-shim'],
  ['linux', true, undefined, '/var/lib/aurora-shim'],
  ['darwin', false, undefined, '/home/me/Library/Application Support/aurora-shim'],
] as const)('default data directory: %s, root %s, XDG %s', (platform, isRoot, xdg, expected) => {
  expect(chooseDataDir({ platform, isRoot, home: '/home/me', xdgDataHome: xdg })).toBe(expected);
});
