/**
 * Backup files (docs/backups.md): written whole or not at all, and believed only if nothing is missing or
 * changed. What is in them is backup.ts's to say.
 */
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { open, rename, rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createGunzip, createGzip } from 'node:zlib';
import { BACKUP_FORMAT, BACKUP_VERSION, type BackupHeader } from './backup.js';
import { BACKUP_TABLES } from './backup-tables.js';

/** A file that is no whole backup; the message goes after its name. */
export class DamagedBackupError extends Error {
  override readonly name = 'DamagedBackupError';
}

/** One who backs up has secrets of others in hand: executorConfig is opaque to us. */
const OWNER_ONLY = 0o600;
/** Rows handed out at once, and their characters. */
const BATCH_ROWS = 500;
const BATCH_CHARS = 1 << 20;
/** No row of ours is near that long; without a limit a damaged file could fill the memory. */
const LONGEST_LINE_BYTES = 64 << 20;
const LINE_FEED = 0x0a;

/** Compresses `text` into `path` by way of `draft` in the same folder; on failure both are as before. */
export async function writeBackupFile(
  path: string,
  draft: string,
  text: AsyncIterable<string>,
): Promise<void> {
  try {
    const file = await open(draft, 'w', OWNER_ONLY);
    try {
      await pipeline(
        Readable.from(text, { objectMode: true }),
        createGzip(),
        // Not a stream of the file's own: the file must stay open, to be synced.
        async (pieces: AsyncIterable<Buffer>) => {
          for await (const piece of pieces) await file.writeFile(piece);
        },
      );
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(draft, path);
  } catch (error) {
    await rm(draft, { force: true }).catch(() => undefined);
    throw error;
  }
  await syncFolder(dirname(path));
}

/** The new name must survive a power failure, too. */
async function syncFolder(path: string): Promise<void> {
  const folder = await open(path, 'r');
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}

export type BackupPart =
  | { readonly kind: 'header'; readonly header: BackupHeader }
  | {
      readonly kind: 'rows';
      readonly table: string;
      readonly columns: readonly string[];
      /** JSON objects with exactly these columns. */
      readonly rows: readonly string[];
    };

/**
 * The parts of a backup, the header first, then its rows in batches. Whoever reads to the end without an
 * error has had all of a backup that is as it was written.
 *
 * @throws DamagedBackupError for whatever is wrong with its content
 * @throws Error of node:fs when it cannot be read
 */
export async function* readBackupFile(path: string): AsyncGenerator<BackupPart> {
  const reader = new BackupReader();
  for await (const line of linesOf(path)) yield* reader.take(line);
  reader.finish();
}

class BackupReader {
  private readonly hash = createHash('sha256');
  private readonly counts = new Map<string, number>();
  private line = 0;
  private table: { readonly name: string; readonly columns: readonly string[] } | undefined;
  private batch: string[] = [];
  private chars = 0;
  private ended = false;

  *take(line: Buffer): Generator<BackupPart> {
    this.line += 1;
    if (this.ended) throw this.damaged('comes after the last line');
    const text = line.toString('utf8');
    const value = this.parse(text);
    if (this.line === 1) {
      yield { kind: 'header', header: this.header(value) };
    } else if ('@end' in value) {
      yield* this.flush();
      this.end(value['@end']);
      return;
    } else if ('@table' in value) {
      yield* this.flush();
      this.table = this.begin(value);
    } else {
      this.row(text, value);
      if (this.batch.length >= BATCH_ROWS || this.chars >= BATCH_CHARS) yield* this.flush();
    }
    this.hash.update(line).update('\n');
  }

  finish(): void {
    if (!this.ended) {
      throw new DamagedBackupError(`is cut short: it ends after line ${this.line}`);
    }
  }

  private *flush(): Generator<BackupPart> {
    if (this.table === undefined || this.batch.length === 0) return;
    const { name: table, columns } = this.table;
    yield { kind: 'rows', table, columns, rows: this.batch };
    this.batch = [];
    this.chars = 0;
  }

  private parse(text: string): Readonly<Record<string, unknown>> {
    let value: unknown;
    try {
      value = JSON.parse(text);
    } catch {
      throw this.line === 1 ? noBackup() : this.damaged('is no JSON');
    }
    if (typeof value !== 'object' || value === null || Array.isArray(value)) {
      throw this.line === 1 ? noBackup() : this.damaged('is no JSON object');
    }
    return value as Record<string, unknown>;
  }

  private header(value: Readonly<Record<string, unknown>>): BackupHeader {
    const { version, schema, createdAt, cluster } = value;
    if (value['@backup'] !== BACKUP_FORMAT) throw noBackup();
    if (typeof version !== 'number' || version > BACKUP_VERSION) {
      throw new DamagedBackupError(
        `has version ${String(version)} of the format; this release reads up to ${BACKUP_VERSION}`,
      );
    }
    if (typeof schema !== 'string' || typeof cluster !== 'string' || !isTime(createdAt)) {
      throw this.damaged('must name schema, cluster and createdAt');
    }
    return { schema, cluster, createdAt };
  }

  private begin(value: Readonly<Record<string, unknown>>): NonNullable<BackupReader['table']> {
    const { '@table': name, columns } = value;
    if (!BACKUP_TABLES.some((table) => table.name === name)) {
      throw this.damaged(`is about a table ${String(name)}, which this release does not back up`);
    }
    if (this.counts.has(name as string)) throw this.damaged(`repeats table ${String(name)}`);
    if (!Array.isArray(columns) || !columns.every((column) => typeof column === 'string')) {
      throw this.damaged('must list the columns of its table');
    }
    this.counts.set(name as string, 0);
    return { name: name as string, columns: columns as string[] };
  }

  private row(text: string, value: Readonly<Record<string, unknown>>): void {
    const { table } = this;
    if (table === undefined) throw this.damaged('is a row of no table');
    const { name, columns } = table;
    const has = Object.keys(value);
    if (has.length !== columns.length || !columns.every((column) => Object.hasOwn(value, column))) {
      throw this.damaged(`does not have the columns of table ${name}`);
    }
    this.counts.set(name, (this.counts.get(name) ?? 0) + 1);
    this.batch.push(text);
    this.chars += text.length;
  }

  private end(trailer: unknown): void {
    const { rows, sha256 } = (trailer ?? {}) as { rows?: unknown; sha256?: unknown };
    const told = new Map(Object.entries((rows ?? {}) as Record<string, unknown>));
    for (const name of new Set([...told.keys(), ...this.counts.keys()])) {
      const [should, has] = [told.get(name) ?? 0, this.counts.get(name) ?? 0];
      if (should !== has) {
        throw new DamagedBackupError(
          `is damaged: table ${name} has ${has} rows, and should have ${String(should)}`,
        );
      }
    }
    if (sha256 !== this.hash.digest('hex')) {
      throw new DamagedBackupError('is damaged: its checksum (SHA-256) does not fit its content');
    }
    this.ended = true;
  }

  private damaged(what: string): DamagedBackupError {
    return new DamagedBackupError(`is damaged: line ${this.line} ${what}`);
  }
}

function noBackup(): DamagedBackupError {
  return new DamagedBackupError('is no backup of aurora-shim: the first line does not say so');
}

function isTime(value: unknown): value is string {
  return typeof value === 'string' && !Number.isNaN(Date.parse(value));
}

/** Lines without their line feeds. A last one without is none: it was cut off. */
async function* linesOf(path: string): AsyncGenerator<Buffer> {
  const file = createReadStream(path);
  const unzipped = createGunzip();
  file.once('error', (error) => unzipped.destroy(error));
  file.pipe(unzipped);
  let begun: Buffer[] = [];
  let size = 0;
  try {
    for await (const piece of unzipped as AsyncIterable<Buffer>) {
      let from = 0;
      for (let to = piece.indexOf(LINE_FEED); to >= 0; to = piece.indexOf(LINE_FEED, from)) {
        yield Buffer.concat([...begun, piece.subarray(from, to)]);
        begun = [];
        size = 0;
        from = to + 1;
      }
      const rest = piece.subarray(from);
      size += rest.length;
      if (size > LONGEST_LINE_BYTES) {
        throw new DamagedBackupError(
          `is damaged: a line is longer than ${LONGEST_LINE_BYTES} bytes`,
        );
      }
      if (rest.length > 0) begun.push(rest);
    }
  } catch (error) {
    throw explained(error);
  } finally {
    file.destroy();
    unzipped.destroy();
  }
  if (size > 0) throw new DamagedBackupError('is cut short: its last line has no end');
}

/** What zlib says of a file that is not what it should be. */
function explained(error: unknown): unknown {
  const { code, message } = error as { code?: unknown; message?: string };
  if (code === 'Z_BUF_ERROR') return new DamagedBackupError('is cut short');
  if (typeof code === 'string' && code.startsWith('Z_')) {
    return new DamagedBackupError(`is damaged: it is not compressed as it should be (${message})`);
  }
  return error;
}
