/** Users and roles as Shiro's INI has them (operations.md §1.4). */
import { parseIni } from '../../../src/core/access/ini.js';
import { parsePermission } from '../../../src/core/access/permission.js';
import type { Realm } from '../../../src/core/access/realm.js';
import { parseRealm } from '../../../src/core/access/realm.js';

const entries = (text: string, section = 'users'): unknown =>
  parseIni(text)
    .get(section)
    ?.map(({ key, value }) => [key, value]);

function account(realm: Realm, name: string): object | undefined {
  return realm.accounts.find((one) => one.name === name);
}

describe('lines', () => {
  test.each<[string, string, unknown]>([
    ['an equals sign', '[users]\nann = secret', [['ann', 'secret']]],
    ['a colon', '[users]\nann: secret', [['ann', 'secret']]],
    ['a blank', '[users]\nann secret', [['ann', 'secret']]],
    ['a run of them', '[users]\nann \t:= secret', [['ann', 'secret']]],
    ['later ones belong to the value', '[users]\nann = a=b c:d', [['ann', 'a=b c:d']]],
    ['an escaped one belongs to the key', '[users]\na\\=b = c', [['a\\=b', 'c']]],
    ['blanks around lines go', '  [ users ]  \n   ann = secret  \r\n', [['ann', 'secret']]],
    ['comments', '# one\n[users]\n; two\n  # three\nann = secret', [['ann', 'secret']]],
    ['a comment sign in a value is literal', '[users]\nann = #1;2', [['ann', '#1;2']]],
    ['a continued line', '[users]\nann = secret, \\\n  admin', [['ann', 'secret, admin']]],
    ['twice', '[users]\nann = a,\\\n b,\\\nc', [['ann', 'a,b,c']]],
    ['a comment in between', '[users]\nann = a,\\\n# no\nb', [['ann', 'a,b']]],
    [
      'two backslashes do not continue',
      '[users]\nann = a\\\\\nbob = b',
      [
        ['ann', 'a\\\\'],
        ['bob', 'b'],
      ],
    ],
    ['three do', '[users]\nann = a\\\\\\\nb', [['ann', 'a\\\\b']]],
    ['a repeated section replaces', '[users]\nann = a\n[users]\nbob = b', [['bob', 'b']]],
    ['an empty one does not', '[users]\nann = a\n[roles]\nr = *\n[users]\n', [['ann', 'a']]],
    ['a mark of byte order', '\ufeff[users]\nann = a', [['ann', 'a']]],
  ])('%s', (_, text, expected) => {
    expect(entries(text)).toEqual(expected);
  });
});

describe('OPS-013', () => {
  test('both sections', () => {
    const realm = parseRealm('[users]\nann = secret, ops, eng\n[roles]\nops = a:b\neng = c, d:e\n');
    expect(realm).toEqual({
      accounts: [
        {
          ...{ name: 'ann', password: 'secret' },
          permissions: ['a:b', 'c', 'd:e'].map(parsePermission),
        },
      ],
      undefinedRoles: [],
    });
  });

  test('only roles; only users', () => {
    expect(parseRealm('[roles]\nops = *').accounts).toEqual([]);
    expect(account(parseRealm('[users]\ncarol=12345'), 'carol')).toEqual({
      ...{ name: 'carol', password: '12345', permissions: [] },
    });
  });

  test.each([
    [
      'an extra section',
      '[users]\na = b\n[main]\nx = y',
      'line 4: belongs to section [main]; there',
    ],
    ['lines before any section', '# c\na = b\n[users]', 'line 2: stands before the first section;'],
    ['all lines commented out', '# [users]\n# a = b\n', 'neither a section [users] nor [roles]'],
    ['nothing in a section', '[users]\n[roles]', 'neither a section [users] nor [roles]'],
    ['a key without a value', '[users]\nann', 'line 2: must be a name, "=" and a value'],
    ['a value without a key', '[users]\n= x', 'line 2: must be a name, "=" and a value'],
    ['continued by nothing', '[users]\n\nann = a\\\n', 'line 3: ends with a backslash'],
    ['continued by a section', '[users]\nann = a\\\n[roles]', 'line 2: ends with a backslash'],
    ['no password', '[users]\nann = , ops', 'line 2: user ann has no password'],
    ['an open quote', '[roles]\nops = "a:b,c', 'line 2: a quote is opened and never closed'],
    ['an empty permission', '[roles]\nops = a,,b', 'line 2: role ops: a permission must not be'],
    ['a part of commas', '[roles]\nr=*\nops = "a:,"', 'line 3: role ops: permission "a:," has a'],
  ])('an error for %s', (_, text, message) => {
    expect(() => parseRealm(text)).toThrow(message);
  });

  test('an empty section of another name is none', () => {
    expect(parseRealm('[main]\n[users]\nann = a').accounts).toHaveLength(1);
  });
});

test('quotes keep commas together, and two of them are one', () => {
  const text = '[users]\nann = "a,b""c" , "ops"\n[roles]\nops = "m:pause,resume:www", x';
  expect(account(parseRealm(text), 'ann')).toEqual({
    ...{ name: 'ann', password: 'a,b"c' },
    permissions: ['m:pause,resume:www', 'x'].map(parsePermission),
  });
});

test('the last line of a name counts, and a role that nobody defines grants nothing and is told of', () => {
  const text = '[users]\nann = one, a\nann = two, b, typo\n[roles]\na = *\nb = x\nb = y';
  const realm = parseRealm(text);
  expect(account(realm, 'ann')).toEqual({
    ...{ name: 'ann', password: 'two', permissions: [parsePermission('y')] },
  });
  expect(realm.undefinedRoles).toEqual(['typo']);
});

test('an error about a password does not repeat it', () => {
  expect(() => parseRealm('[users]\nann = "sesame')).toThrow(/^(?!.*sesame)/);
});
