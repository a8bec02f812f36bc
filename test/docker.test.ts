/** The image can be built from what is here, and docker-compose.yml runs it: as far as files tell. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

const root = join(__dirname, '..');
const read = (name: string): string => readFileSync(join(root, name), 'utf8');

/** Lines of a Dockerfile with continuations joined, without comments. */
const instructions = read('Dockerfile')
  .replace(/^\s*#.*\n/gm, '')
  .replace(/\\\n/g, ' ')
  .split('\n')
  .map((line) => line.trim().split(/\s+/));

/** Sources of COPY that come from the folder the image is built in. */
const sources = instructions
  .filter(([word, next]) => word === 'COPY' && !next?.startsWith('--from='))
  .flatMap((words) => words.slice(1, -1).filter((word) => !word.startsWith('--')));

/** Whether Docker leaves the path out: the last pattern that is true of it or of a folder above decides. */
function isIgnored(path: string): boolean {
  const parts = path.split('/');
  const heads = parts.map((_, index) => parts.slice(0, index + 1).join('/'));
  let ignored = false;
  for (const line of read('.dockerignore').split('\n')) {
    const text = line.trim();
    if (text === '' || text.startsWith('#')) continue;
    const pattern = toRegExp(text.replace(/^!/, '').replace(/^\/|\/$/g, ''));
    if (heads.some((head) => pattern.test(head))) ignored = !text.startsWith('!');
  }
  return ignored;
}

function toRegExp(pattern: string): RegExp {
  const text = pattern
    .split(/(\*\*\/?|\*|\?)/)
    .map((part) => {
      if (part.startsWith('**')) return '(?:.*/)?';
      if (part === '*') return '[^/]*';
      if (part === '?') return '[^/]';
      return part.replace(/[.+^${}()|[\]\\]/g, '\\$&');
    })
    .join('');
  return new RegExp(`^${text}$`);
}

test('the Dockerfile copies something', () => {
  expect(sources).toEqual(expect.arrayContaining(['package.json', 'src', 'migrations', 'thrift']));
});

test.each(sources)('COPY %s: it is here and Docker sees it', (source) => {
  expect(existsSync(join(root, source))).toBe(true);
  expect(isIgnored(source)).toBe(false);
});

test.each(['node_modules', 'dist', '.git', 'test/docker.test.ts'])(
  '%s stays out of the build',
  (path) => {
    expect(isIgnored(path)).toBe(true);
  },
);

test('every stage copied from is one of the Dockerfile', () => {
  const stages = instructions.filter(([word]) => word === 'FROM').map((words) => words[3]);
  const used = instructions.flatMap((words) =>
    words.filter((word) => word.startsWith('--from=')).map((word) => word.slice('--from='.length)),
  );
  expect(used).not.toEqual([]);
  for (const stage of used) expect(stages).toContain(stage);
});

/**
 * Reads the part of YAML that docker-compose.yml uses: maps and lists by indentation, scalars on one line
 * (flow lists stay text). Throws at anything else.
 */
function parse(text: string): unknown {
  const lines = text
    .split('\n')
    .filter((line) => !/^\s*(#|$)/.test(line))
    .map((line) => ({ indent: line.search(/\S/), text: line.trim() }));
  let at = 0;
  const block = (indent: number): unknown => {
    if (lines[at]?.text.startsWith('- ')) {
      const list: string[] = [];
      for (; lines[at]?.indent === indent; at++) {
        const item = /^- (.+)$/.exec(lines[at]?.text ?? '')?.[1];
        if (item === undefined) throw new Error(`not a list item: ${lines[at]?.text}`);
        list.push(unquote(item));
      }
      return list;
    }
    const map: Record<string, unknown> = {};
    while (lines[at]?.indent === indent) {
      const match = /^([\w-]+):(?: (.+))?$/.exec(lines[at]?.text ?? '');
      const key = match?.[1];
      if (key === undefined) throw new Error(`not "key: value": ${lines[at]?.text}`);
      if (key in map) throw new Error(`twice: ${key}`);
      at += 1;
      const deeper = lines[at]?.indent ?? 0;
      if (match?.[2] !== undefined) map[key] = unquote(match[2]);
      else map[key] = deeper > indent ? block(deeper) : null;
    }
    if ((lines[at]?.indent ?? 0) > indent) throw new Error(`indentation: ${lines[at]?.text}`);
    return map;
  };
  const result = block(0);
  if (at !== lines.length) throw new Error(`left over: ${lines[at]?.text}`);
  return result;
}

const unquote = (text: string): string => text.replace(/^(['"])(.*)\1$/, '$2');

describe('docker-compose.yml', () => {
  interface Service {
    readonly build?: string;
    readonly image: string;
    readonly stop_grace_period?: string;
    readonly environment: Record<string, string>;
    readonly ports?: readonly string[];
    readonly volumes: readonly string[];
    readonly depends_on?: Record<string, { readonly condition: string }>;
    readonly healthcheck: Record<string, unknown>;
  }
  const compose = parse(read('docker-compose.yml')) as {
    services: Record<string, Service>;
    volumes: Record<string, null>;
  };
  const { services } = compose;
  const shim = services['aurora-shim'];

  test('builds the image from this folder and waits for Postgres to be healthy', () => {
    expect(shim?.build).toBe('.');
    for (const [name, { condition }] of Object.entries(shim?.depends_on ?? {})) {
      expect(condition).toBe('service_healthy');
      expect(services[name]?.healthcheck).toHaveProperty('test');
    }
    const url = shim?.environment['DATABASE_URL']?.replace(/\$\{\w+:-(\w+)\}/g, '$1') ?? '';
    expect(Object.keys(services)).toContain(new URL(url).hostname);
  });

  test('every named volume is declared', () => {
    const used = Object.values(services).flatMap((service) =>
      service.volumes.map((volume) => volume.split(':')[0] ?? ''),
    );
    expect(used.sort()).toEqual(Object.keys(compose.volumes).sort());
  });

  test('the port and the volume are those of the image', () => {
    const exposed = instructions.find(([word]) => word === 'EXPOSE')?.[1];
    const volume = instructions.find(([word]) => word === 'VOLUME')?.[1];
    expect(shim?.ports).toEqual([`127.0.0.1:${exposed}:${exposed}`]);
    expect(shim?.volumes).toEqual([`data:${volume}`]);
  });

  test('leaves it time to end in order', () => {
    expect(shim?.stop_grace_period).toBe('30s');
  });
});
