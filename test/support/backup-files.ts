/** Backup files as a test reads and forges them (docs/backups.md). */
import { createHash } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { gunzipSync, gzipSync } from 'node:zlib';
import { BACKUP_TABLES } from '../../src/store/backup-tables.js';
import type { World } from './world.js';

type Line = Record<string, unknown>;

/** Every line but the last one. */
export function linesOf(path: string): Line[] {
  const lines = gunzipSync(readFileSync(path)).toString().trimEnd().split('\n');
  return lines.slice(0, -1).map((line) => JSON.parse(line) as Line);
}

export function rowsOf(lines: readonly Line[], table: string): Line[] {
  const from = lines.findIndex((line) => line['@table'] === table);
  const after = lines.slice(from + 1);
  const to = after.findIndex((line) => '@table' in line);
  return after.slice(0, to < 0 ? undefined : to);
}

/** A backup of these lines, with a last line that fits them. */
export function forge(path: string, lines: readonly Line[]): void {
  const rows: Record<string, number> = {};
  let table = '';
  for (const line of lines.slice(1)) {
    if (typeof line['@table'] === 'string') rows[(table = line['@table'])] = 0;
    else rows[table] = (rows[table] ?? 0) + 1;
  }
  const text = lines.map((line) => `${JSON.stringify(line)}\n`).join('');
  const sha256 = createHash('sha256').update(text).digest('hex');
  writeFileSync(path, gzipSync(`${text}${JSON.stringify({ '@end': { rows, sha256 } })}\n`));
}

/** All rows of all tables that a backup holds, as their lines have them, in a fixed order. */
export async function stateOf(world: World): Promise<Record<string, unknown[]>> {
  await world.sql("SET TIME ZONE 'UTC'");
  const state: Record<string, unknown[]> = {};
  for (const { name, orderBy } of BACKUP_TABLES) {
    const rows = await world.sql<{ row: unknown }>(
      `SELECT row_to_json(t) AS row FROM ${name} t ORDER BY ${orderBy.join(', ')}`,
    );
    state[name] = rows.map(({ row }) => row);
  }
  return state;
}

/** The same of a backup. */
export function stateIn(path: string): Record<string, unknown[]> {
  const lines = linesOf(path);
  return Object.fromEntries(BACKUP_TABLES.map(({ name }) => [name, rowsOf(lines, name)]));
}
