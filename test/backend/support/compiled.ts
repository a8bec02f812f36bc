/**
 * The backend's sources as JavaScript in a directory of their own, for the processes that tests start:
 * supervisors, and drivers that are to be killed. No build of the repository is needed.
 */
import { transformFileSync } from '@swc/core';
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';

const SOURCES = join(__dirname, '../../../src');
const PARTS = ['time.ts', 'backend', 'core'];

export interface Compiled {
  /** Holds `backend/local/supervisor-main.js` and what it needs. */
  readonly dir: string;
  readonly supervisorPath: string;
  remove(): void;
}

export function compileBackend(): Compiled {
  const dir = mkdtempSync(join(tmpdir(), 'aurora-shim-js-'));
  for (const part of PARTS) {
    const files = part.endsWith('.ts')
      ? [part]
      : readdirSync(join(SOURCES, part), { recursive: true, encoding: 'utf8' })
          .filter((name) => name.endsWith('.ts'))
          .map((name) => join(part, name));
    for (const file of files) {
      const { code } = transformFileSync(join(SOURCES, file), {
        swcrc: false,
        jsc: { parser: { syntax: 'typescript' }, target: 'es2022' },
        module: { type: 'commonjs', ignoreDynamic: true },
      });
      const target = join(dir, file.replace(/\.ts$/, '.js'));
      mkdirSync(dirname(target), { recursive: true });
      writeFileSync(target, code);
    }
  }
  return {
    dir,
    supervisorPath: join(dir, 'backend/local/supervisor-main.js'),
    remove: () => rmSync(dir, { recursive: true, force: true }),
  };
}
