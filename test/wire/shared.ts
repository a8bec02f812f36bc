/** The specification and the captures lie beside the repository, not in it; where they are absent, tests that need them say so. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

const SHARED = join(__dirname, '..', '..', '..', 'shared');

export interface Capture {
  readonly file: string;
  readonly n: number;
  readonly rpc: string;
  readonly protocol: 'TBinary-strict' | 'TJSON';
  readonly seqid: number;
  readonly command: string;
  readonly headers: readonly (readonly [string, string])[];
  readonly body: Buffer;
}

/** The text of a file under ../shared, or undefined after a line that names what is skipped. */
export function sharedText(path: string, skipped: string): string | undefined {
  const full = join(SHARED, path);
  if (existsSync(full)) return readFileSync(full, 'utf8');
  process.stderr.write(`SKIPPED: ${skipped} (../shared/${path} is absent)\n`);
  return undefined;
}

/** Requests of real clients, in order; empty after a line that names what is skipped. */
export function captures(skipped: string): readonly Capture[] {
  const folder = join(SHARED, 'captures');
  if (!existsSync(folder)) {
    process.stderr.write(`SKIPPED: ${skipped} (../shared/captures is absent)\n`);
    return [];
  }
  return readdirSync(folder)
    .filter((file) => file.endsWith('.jsonl'))
    .sort()
    .flatMap((file) =>
      readFileSync(join(folder, file), 'utf8')
        .split('\n')
        .filter((line) => line !== '')
        .map((line) => {
          const row = JSON.parse(line) as Omit<Capture, 'body' | 'file'> & { body: string };
          return { ...row, file, body: Buffer.from(row.body, 'base64') };
        }),
    );
}
