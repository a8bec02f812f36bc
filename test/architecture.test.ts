/**
 * The layout as a table (design.md §5): who may import whom, held against every import in src. Each arrow
 * points at something that changes less often than what it starts from.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { builtinModules } from 'node:module';
import { dirname, join, relative } from 'node:path';
import { preProcessFile } from 'typescript';

const ROOT = join(__dirname, '..');

/**
 * Units: folders or single files of src, the more exact one first. Types included: an import that only
 * names a type is an arrow too. Every unit may import itself.
 */
const MAY_IMPORT: Readonly<Record<string, readonly string[]>> = {
  'main.ts': ['app.ts', 'commands', 'config', 'settings.ts', 'import-backup.ts'],
  'import-backup.ts': ['wire', 'store', 'core'],
  'app.ts': ['*'],
  'access.ts': ['config', 'core', 'http', 'rpc', 'settings.ts', 'wire'],
  'settings.ts': ['config', 'core', 'engine', 'outbound', 'rpc', 'store'],
  commands: ['config', 'core', 'store', 'wire'],
  'time.ts': [],
  observe: [],
  config: ['core/units.ts'],
  'core/units.ts': ['core'],
  'core/access': ['core'],
  core: ['core/units.ts', 'core/access'],
  store: ['core'],
  'backend/backend.ts': ['core'],
  'backend/supervised.ts': ['core', 'backend/backend.ts'],
  'backend/local': ['core', 'backend/backend.ts', 'backend/supervised.ts'],
  'backend/kubernetes': ['core', 'backend/backend.ts', 'backend/supervised.ts'],
  'backend/simulated': ['core', 'backend/backend.ts', 'backend/supervised.ts'],
  engine: ['core', 'store', 'backend/backend.ts'],
  rpc: ['core', 'engine', 'store'],
  wire: ['core', 'rpc'],
  outbound: ['core', 'wire'],
  leader: ['core', 'store'],
  http: ['wire', 'rpc', 'leader', 'core/access'],
};

/** Imported from anywhere outside core. */
const COMMON = ['time.ts', 'observe'];

/** Packages and the units that may import them; Node's own modules are free outside core. */
const PACKAGES: Readonly<Record<string, readonly string[]>> = {
  kysely: ['store'],
  pg: ['store', 'commands'],
  pino: ['observe'],
  'prom-client': ['observe'],
  thrift: ['wire'],
  '#thrift': ['wire'],
};

/** Only these may end the process. */
const MAY_EXIT = ['main.ts', 'backend/local/supervisor-main.ts'];

interface Import {
  readonly from: string;
  /** A file below src, or the name of a package. */
  readonly to: string;
  readonly isPackage: boolean;
}

function filesBelow(folder: string): string[] {
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) return filesBelow(path);
    return entry.name.endsWith('.ts') ? [path] : [];
  });
}

const SRC = join(ROOT, 'src');
const files = filesBelow(SRC).map((path) => relative(SRC, path));
const text = new Map(files.map((file) => [file, readFileSync(join(SRC, file), 'utf8')]));

const imports: readonly Import[] = files.flatMap((from) =>
  preProcessFile(text.get(from) ?? '', true, true).importedFiles.map(({ fileName }) => {
    if (!fileName.startsWith('.')) {
      const parts = fileName.split('/');
      const name = fileName.startsWith('@') ? parts.slice(0, 2).join('/') : (parts[0] ?? '');
      return { from, to: name, isPackage: true };
    }
    const to = join(dirname(from), fileName).replace(/\.js$/, '.ts');
    return { from, to, isPackage: false };
  }),
);

/** The unit of a file below src; undefined when the table has none. */
function unitOf(file: string): string | undefined {
  return Object.keys(MAY_IMPORT)
    .filter((unit) => file === unit || file.startsWith(`${unit}/`))
    .sort((a, b) => b.length - a.length)[0];
}

function mayImport(from: string, to: string): boolean {
  const [source, target] = [unitOf(from), unitOf(to)];
  if (source === undefined || target === undefined) return false;
  if (source === target) return true;
  const isCore = source === 'core' || source.startsWith('core/');
  const allowed = [...(MAY_IMPORT[source] ?? []), ...(isCore ? [] : COMMON)];
  // Whoever may import core may import all of it.
  const targets = target.startsWith('core/') ? [target, 'core'] : [target];
  return allowed.includes('*') || targets.some((name) => allowed.includes(name));
}

test('every file belongs to a unit of the table', () => {
  expect(files.filter((file) => unitOf(file) === undefined)).toEqual([]);
});

test('imports follow the arrows', () => {
  const wrong = imports
    .filter(({ from, to, isPackage }) => !isPackage && !mayImport(from, to))
    .map(({ from, to }) => `${from} → ${to}: ${unitOf(from)} may not import ${unitOf(to)}`);
  expect(wrong).toEqual([]);
});

test('packages are imported where they belong, by nobody else', () => {
  const wrong = imports
    .filter(({ from, to, isPackage }) => {
      if (!isPackage) return false;
      const unit = unitOf(from) ?? '';
      const isNode = to.startsWith('node:') || builtinModules.includes(to);
      if (isNode) return unit === 'core' || unit.startsWith('core/') || !to.startsWith('node:');
      return unit !== 'app.ts' && !(PACKAGES[to] ?? []).includes(unit);
    })
    .map(({ from, to }) => `${from} → ${to}`);
  expect(wrong).toEqual([]);
});

test('the arrows between units make no circle', () => {
  const arrows = new Map(
    Object.entries(MAY_IMPORT)
      .filter(([unit]) => !unit.startsWith('core'))
      .map(([unit, targets]) => [unit, targets.filter((target) => target !== '*')]),
  );
  expect(circles(arrows)).toEqual([]);
});

test('no file imports itself by way of others', () => {
  const arrows = new Map(files.map((file) => [file, [] as string[]]));
  for (const { from, to, isPackage } of imports) if (!isPackage) arrows.get(from)?.push(to);
  expect(circles(arrows)).toEqual([]);
});

test('only the mains end the process', () => {
  const ending = files.filter((file) =>
    /\bprocess\s*\.\s*(exit|abort)\b|\bprocess\[/.test(text.get(file) ?? ''),
  );
  expect(ending.filter((file) => !MAY_EXIT.includes(file))).toEqual([]);
});

/** One circle per entry, as `a → b → a`. */
function circles(arrows: ReadonlyMap<string, readonly string[]>): string[] {
  const found: string[] = [];
  const done = new Set<string>();
  const visit = (node: string, path: readonly string[]): void => {
    const start = path.indexOf(node);
    if (start >= 0) found.push([...path.slice(start), node].join(' → '));
    if (start >= 0 || done.has(node)) return;
    for (const next of arrows.get(node) ?? []) visit(next, [...path, node]);
    done.add(node);
  };
  for (const node of arrows.keys()) visit(node, []);
  return found;
}
