/** What the flags of security mean together, and which starts they refuse. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Config } from '../../src/config/flags.js';
import { parseConfig } from '../../src/config/parse.js';
import { accessSettings, unsupported, withoutEffect } from '../../src/settings.js';

let dir: string;
let ini: string;

beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), 'security-'));
  ini = join(dir, 'shiro.ini');
  writeFileSync(ini, '[users]\nann = secret, ops\n[roles]\nops = *\n');
});

afterAll(() => rmSync(dir, { recursive: true }));

function configOf(...argv: string[]): Config {
  const parsed = parseConfig(argv, {}, () => '', { dataDir: '/data', isRoot: false });
  if ('errors' in parsed) throw new Error(parsed.errors.join('\n'));
  return parsed.config;
}

const BASIC = '-http_authentication_mechanism=BASIC';
const basic = (path: string, ...more: string[]): Config =>
  configOf(BASIC, `-shiro_ini_path=${path}`, ...more);

test('users are read from a path, with file: before it or without', () => {
  for (const path of [ini, `file:${ini}`, `file://${ini}`]) {
    expect(accessSettings(basic(path))?.accounts.map(({ name }) => name)).toEqual(['ann']);
  }
  expect(unsupported(basic(ini))).toEqual([]);
});

test('OPS-013 a missing file and a wrong line stop the start, and say which file and line', () => {
  expect(() => accessSettings(basic('/no/shiro.ini'))).toThrow(
    /^--shiro_ini_path=\/no\/shiro\.ini: ENOENT/,
  );
  const wrong = join(dir, 'wrong.ini');
  writeFileSync(wrong, '[users]\nann = secret\n[main]\nx = y\n');
  expect(() => accessSettings(basic(wrong))).toThrow(
    `--shiro_ini_path=${wrong}: line 4: belongs to section [main]; there may only be`,
  );
  for (const prefix of ['classpath:', 'url:http://x/']) {
    expect(() => accessSettings(basic(`${prefix}shiro.ini`))).toThrow('only a path of a file');
  }
});

test('without authentication nothing is read, and an INI that is given is warned of', () => {
  const config = configOf('-shiro_ini_path=/no/shiro.ini');
  expect(accessSettings(config)).toBeUndefined();
  expect(withoutEffect(config)).toEqual([
    expect.stringMatching(/^--shiro_ini_path is not read .*everybody may do everything$/),
  ]);
  expect(withoutEffect(basic(ini))).toEqual([]);
});

test('what needs Kerberos is refused, with what it needs', () => {
  const kerberos = ['-kerberos_server_keytab=/k', '-kerberos_server_principal=HTTP/x'];
  const negotiate = configOf(
    ...['-http_authentication_mechanism=NEGOTIATE', `-shiro_ini_path=${ini}`, ...kerberos],
  );
  expect(unsupported(negotiate)).toEqual([expect.stringContaining('optional package kerberos')]);
  const both = '-shiro_realm_modules=INI_AUTHNZ,KERBEROS5_AUTHN';
  expect(unsupported(basic(ini, both))).toEqual([
    expect.stringContaining('KERBEROS5_AUTHN goes with NEGOTIATE'),
  ]);
  expect(unsupported(basic(ini, '-shiro_realm_modules='))).toEqual([
    expect.stringContaining('needs INI_AUTHNZ'),
  ]);
});
