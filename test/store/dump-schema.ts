/**
 * `npm run db:dump`: writes the schema that migrations/ make to schema.sql beside this file, for reviewers
 * and for CI, which fails on a difference.
 *
 * The embedded Postgres ships no pg_dump, and pg_dump refuses a server newer than itself. So the server is
 * a private one too, run with the programs that lie beside the pg_dump. Its words change from one major
 * version to the next; the file is kept in those of MAJOR, which Debian 12 has.
 */
import { spawnSync } from 'node:child_process';
import { chmodSync, existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startEmbeddedPostgres } from '../../src/store/embedded.js';
import { migrate } from '../../src/store/migrate.js';

const MAJOR = 15;
const FILE = join(__dirname, 'schema.sql');

/** Folders where distributions and Homebrew keep the programs of one version, and PG_BIN. */
function candidates(): string[] {
  const given = process.env['PG_BIN'];
  if (given !== undefined) return [given];
  const onPath = spawnSync('pg_config', ['--bindir'], { encoding: 'utf8' });
  return [
    ...(onPath.status === 0 ? [onPath.stdout.trim()] : []),
    ...below('/usr/lib/postgresql').map((version) => join(version, 'bin')),
    ...below('/usr')
      .filter((path) => path.includes('pgsql-'))
      .map((path) => join(path, 'bin')),
    join('/opt/homebrew/opt', `postgresql@${MAJOR}`, 'bin'),
    join('/usr/local/opt', `postgresql@${MAJOR}`, 'bin'),
  ];
}

const below = (folder: string): string[] =>
  existsSync(folder) ? readdirSync(folder).map((name) => join(folder, name)) : [];

function findPrograms(): string | undefined {
  return candidates().find((folder) => {
    if (
      !['pg_dump', 'initdb', 'pg_ctl', 'postgres'].every((name) => existsSync(join(folder, name)))
    )
      return false;
    const { stdout } = spawnSync(join(folder, 'pg_dump'), ['--version'], { encoding: 'utf8' });
    return Number(/\d+/.exec(stdout)?.[0]) === MAJOR;
  });
}

/** Drops what says when and with what it was dumped, and what only some minor versions write. */
function normalised(dump: string): string {
  const lines = dump
    .split('\n')
    .filter((line) => !/^(-- Dumped |\\(un)?restrict |-- PostgreSQL database dump)/.test(line));
  const text = lines
    .join('\n')
    .replace(/\n{3,}/g, '\n\n')
    .replace(/^(--\s*)+(?=SET)/, '')
    .replace(/(\s*--)+\s*$/, '');
  return `-- Written by npm run db:dump from migrations/; not to be edited.\n${text.trim()}\n`;
}

async function main(): Promise<number> {
  const programs = findPrograms();
  if (programs === undefined) {
    process.stderr.write(
      `db:dump needs pg_dump and the server programs of Postgres ${MAJOR} ` +
        `(Debian 12: apt install postgresql-${MAJOR}; or PG_BIN=<their folder>). ` +
        'Without them leave the file to CI, which prints the difference.\n',
    );
    return 1;
  }
  const dataDir = mkdtempSync(join(tmpdir(), 'aurora-shim-dump-'));
  chmodSync(dataDir, 0o711); // as root the server runs as another user
  try {
    const server = await startEmbeddedPostgres({ dataDir, durable: false, binaries: programs });
    try {
      await migrate(server.url, { mode: 'auto' });
      const { status, stdout, stderr } = spawnSync(
        join(programs, 'pg_dump'),
        ['--schema-only', '--no-owner', `--dbname=${server.url}`],
        { encoding: 'utf8', maxBuffer: 64 * 1024 * 1024 },
      );
      if (status !== 0) throw new Error(`pg_dump failed: ${stderr}`);
      writeFileSync(FILE, normalised(stdout));
    } finally {
      await server.stop();
    }
  } finally {
    rmSync(dataDir, { recursive: true, force: true });
  }
  process.stdout.write(`${FILE}\n`);
  return 0;
}

main().then(
  (code) => (process.exitCode = code),
  (error: unknown) => {
    process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
    process.exitCode = 1;
  },
);
