/**
 * `npm run spec:coverage [-- FILE.md ...]`: which acceptance rows of the specification have no test with
 * their id in its title. Reads the rows from ../shared/spec where that folder is present, and says so
 * where it is not. Prints counts by kind of row; the exit code is 1 only when a named file has a gap.
 */
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { basename, join } from 'node:path';

const SPEC = join(__dirname, '..', '..', 'shared', 'spec');
const ROW = /^\|\s*((UPD|HB|SH|WIRE|RPC|TASK|BACKEND|THERMOS|OPS)-\d+)\b/;
/** A text in any kind of quotes that begins with an id: the title of a test, or of a row of its table. */
const TITLE =
  /(['"`])((?:UPD|HB|SH|WIRE|RPC|TASK|BACKEND|THERMOS|OPS)-\d+(?:\\.|(?!\1)[^\\])*)\1/gs;
/** An id, and what may follow it: `, 043`, ` and RPC-043`, `/044`, `..046`, ` to 046`. */
const ID =
  /\b(UPD|HB|SH|WIRE|RPC|TASK|BACKEND|THERMOS|OPS)-(\d+)((?:\s*(?:,|and|\/|–|\.\.|to)\s*(?:\1-)?\d+)*)/g;
const MORE = /(,|and|\/|–|\.\.|to)\s*(?:[A-Z]+-)?(\d+)/g;

/** Row id → the specification it stands in. */
function rows(): Map<string, string> {
  const found = new Map<string, string>();
  for (const name of readdirSync(SPEC).filter((file) => file.endsWith('.md'))) {
    for (const line of readFileSync(join(SPEC, name), 'utf8').split('\n')) {
      const id = ROW.exec(line)?.[1];
      if (id !== undefined) found.set(id, name);
    }
  }
  return found;
}

function testFiles(dir: string): string[] {
  return readdirSync(dir, { withFileTypes: true }).flatMap((entry) => {
    const path = join(dir, entry.name);
    if (entry.isDirectory()) return entry.name === 'node_modules' ? [] : testFiles(path);
    return /\.(ts|go|py)$/.test(entry.name) ? [path] : [];
  });
}

/** Ids in titles of tests. */
function covered(): Set<string> {
  const ids = new Set<string>();
  for (const file of testFiles(__dirname)) {
    const text = readFileSync(file, 'utf8');
    const titles = [...text.matchAll(TITLE)].map((match) => match[2] ?? '');
    for (const title of titles) {
      for (const [, kind = '', first = '', rest = ''] of title.matchAll(ID)) {
        const add = (number: number): unknown =>
          ids.add(`${kind}-${String(number).padStart(first.length, '0')}`);
        let last = Number(first);
        add(last);
        for (const [, separator = '', text = ''] of rest.matchAll(MORE)) {
          const next = Number(text);
          const isRange = ['–', '..', 'to'].includes(separator);
          for (let number = isRange ? last + 1 : next; number <= next; number++) add(number);
          last = next;
        }
      }
    }
  }
  return ids;
}

function main(files: readonly string[]): number {
  if (!existsSync(SPEC)) {
    console.log('spec:coverage: there is no ../shared/spec here, so nothing can be counted');
    return 0;
  }
  const done = covered();
  const byFile = new Map<string, { total: number; missing: string[] }>();
  for (const [id, file] of rows()) {
    const entry = byFile.get(file) ?? { total: 0, missing: [] };
    entry.total += 1;
    if (!done.has(id)) entry.missing.push(id);
    byFile.set(file, entry);
  }
  let gaps = 0;
  for (const [file, { total, missing }] of [...byFile].sort()) {
    const share = `${total - missing.length} of ${total}`;
    console.log(`${file.padEnd(16)} ${share.padStart(10)} rows have a test`);
    if (missing.length > 0) console.log(`  missing: ${missing.join(' ')}`);
    if (files.some((name) => basename(name) === file)) gaps += missing.length;
  }
  return gaps === 0 ? 0 : 1;
}

process.exitCode = main(process.argv.slice(2));
