/**
 * What an executor document may hold: names, types, defaults and coercions of thermos.md §1.2 and §1.3.
 *
 * Reading yields nodes: defaults filled in, every scalar as the text that a reference to it yields
 * (Python's: `15.0`, `30`, `True`), so that binding is text to text and values are made once, at the end.
 */
import { defect } from './problem.js';
import { hasReferences, type Node } from './templates.js';

export type ScalarKind = 'string' | 'int' | 'float' | 'bool';

export type Field =
  | {
      readonly kind: ScalarKind;
      readonly required?: true;
      readonly fallback?: string;
      /** The only values, in exact case. */
      readonly values?: readonly string[];
    }
  | {
      readonly kind: 'object';
      readonly required?: true;
      readonly fallback?: object;
      readonly fields: Fields;
    }
  | {
      readonly kind: 'list';
      readonly required?: true;
      readonly fallback?: readonly unknown[];
      readonly item: Field;
    }
  | { readonly kind: 'map'; readonly required?: true; readonly fallback?: object };
export type Fields = Readonly<Record<string, Field>>;

const string = { kind: 'string' } as const;
const text = (fallback: string) => ({ kind: 'string', fallback }) as const;
const int = (fallback: number) => ({ kind: 'int', fallback: String(fallback) }) as const;
const float = (fallback: string) => ({ kind: 'float', fallback }) as const;
const no = { kind: 'bool', fallback: 'False' } as const;

const LOGGER: Fields = {
  destination: {
    kind: 'string',
    fallback: 'file',
    values: ['file', 'console', 'both', 'none'],
  },
  mode: { kind: 'string', fallback: 'standard', values: ['standard', 'rotate'] },
  rotate: { kind: 'object', fields: { log_size: int(104857600), backups: int(5) } },
};

const RESOURCES: Fields = {
  cpu: { kind: 'float', required: true },
  ram: { kind: 'int', required: true },
  disk: { kind: 'int', required: true },
  gpu: int(0),
};

const PROCESS: Fields = {
  name: { kind: 'string', required: true },
  cmdline: { kind: 'string', required: true },
  max_failures: int(1),
  daemon: no,
  ephemeral: no,
  min_duration: int(5),
  final: no,
  resources: { kind: 'object', fields: RESOURCES },
  logger: { kind: 'object', fields: LOGGER },
};

const TASK: Fields = {
  name: text('{{processes[0].name}}'),
  processes: { kind: 'list', required: true, item: { kind: 'object', fields: PROCESS } },
  constraints: {
    kind: 'list',
    fallback: [],
    item: { kind: 'object', fields: { order: { kind: 'list', item: string } } },
  },
  resources: { kind: 'object', required: true, fields: RESOURCES },
  max_failures: int(1),
  max_concurrency: int(0),
  finalization_wait: int(30),
  user: string,
};

const HEALTH_CHECK: Fields = {
  health_checker: {
    kind: 'object',
    fallback: { http: {} },
    fields: {
      http: {
        kind: 'object',
        fields: {
          endpoint: text('/health'),
          expected_response: text('ok'),
          expected_response_code: int(0),
        },
      },
      shell: { kind: 'object', fields: { shell_command: { kind: 'string', required: true } } },
    },
  },
  initial_interval_secs: float('15.0'),
  interval_secs: float('10.0'),
  timeout_secs: float('1.0'),
  max_consecutive_failures: int(0),
  min_consecutive_successes: int(1),
};

const LIFECYCLE: Fields = {
  http: {
    kind: 'object',
    fields: {
      port: text('health'),
      graceful_shutdown_endpoint: text('/quitquitquit'),
      graceful_shutdown_wait_secs: int(5),
      shutdown_endpoint: text('/abortabortabort'),
      shutdown_wait_secs: int(5),
    },
  },
};

const ANNOUNCE: Fields = {
  primary_port: text('http'),
  portmap: { kind: 'map', fallback: { aurora: '{{primary_port}}' } },
  zk_path: string,
};

/** The usual form: the whole job object. Fields that only templates read come from `UNREAD`. */
export const JOB_DOCUMENT: Fields = {
  task: { kind: 'object', required: true, fields: TASK },
  health_check_config: { kind: 'object', fallback: {}, fields: HEALTH_CHECK },
  lifecycle: { kind: 'object', fallback: { http: {} }, fields: LIFECYCLE },
  announce: { kind: 'object', fields: ANNOUNCE },
  metadata: {
    kind: 'list',
    fallback: [],
    item: { kind: 'object', fields: { key: string, value: string } },
  },
};

/** Fields of the job that nothing but a reference reads: a bad value only makes such a reference fail. */
export const UNREAD: Fields = {
  name: text('{{task.name}}'),
  role: string,
  environment: string,
  cluster: string,
  contact: string,
  tier: string,
  cron_schedule: string,
  cron_collision_policy: text('KILL_EXISTING'),
  priority: int(0),
  max_task_failures: int(1),
  service: no,
  production: no,
  enable_hooks: no,
};

/** The "task instance" form of very old clients: `instance` present, no default for `lifecycle`. */
export const INSTANCE_DOCUMENT: Fields = {
  task: { kind: 'object', required: true, fields: TASK },
  instance: { kind: 'int', required: true },
  role: string,
  environment: string,
  health_check_config: { kind: 'object', fallback: {}, fields: HEALTH_CHECK },
  lifecycle: { kind: 'object', fields: LIFECYCLE },
  announce: { kind: 'object', fields: ANNOUNCE },
};

/** Reads an object's known fields; `strict`, inside a list element, makes unknown keys a defect. */
export function readObject(raw: unknown, fields: Fields, path: string, strict: boolean): Node {
  if (typeof raw !== 'object' || raw === null || Array.isArray(raw)) {
    return defect(path, 'must be an object');
  }
  const record = raw as Readonly<Record<string, unknown>>;
  if (strict) {
    const unknown = Object.keys(record).find((key) => !Object.hasOwn(fields, key));
    if (unknown !== undefined) defect(`${path}.${unknown}`, 'unknown field');
  }
  const node = Object.create(null) as Record<string, Node>;
  for (const [key, field] of Object.entries(fields)) {
    const value = Object.hasOwn(record, key) ? record[key] : undefined;
    const read = readField(value, field, `${path}.${key}`, strict);
    if (read !== undefined) node[key] = read;
  }
  return node;
}

/** As `readObject` for the fields nothing but a reference reads: what does not fit is left out. */
export function readLeniently(raw: object, fields: Fields): Record<string, Node> {
  const node = Object.create(null) as Record<string, Node>;
  for (const [key, field] of Object.entries(fields)) {
    try {
      Object.assign(node, readObject(raw, { [key]: field }, '$', false));
    } catch {
      // Not resolvable then, and a defect only if something refers to it.
    }
  }
  return node;
}

function readField(raw: unknown, field: Field, path: string, strict: boolean): Node | undefined {
  const isAbsent =
    raw === undefined || (raw === null && (field.kind === 'object' || field.kind === 'string'));
  if (isAbsent) {
    if (field.required === true) defect(path, 'is missing');
    return field.fallback === undefined
      ? undefined
      : readField(field.fallback, field, path, strict);
  }
  switch (field.kind) {
    case 'object':
      return readObject(raw, field.fields, path, strict);
    case 'list':
      if (!Array.isArray(raw)) return defect(path, 'must be a list');
      return raw.map(
        (item, at) =>
          readField(item, field.item, `${path}[${at}]`, true) ??
          defect(`${path}[${at}]`, 'must not be null'),
      );
    case 'map':
      return readMap(raw, path);
    default:
      return readScalar(raw, field.kind, path, field.values);
  }
}

function readMap(raw: unknown, path: string): Node {
  if (typeof raw !== 'object' || raw === null || Array.isArray(raw)) {
    return defect(path, 'must be an object');
  }
  const node = Object.create(null) as Record<string, Node>;
  for (const [key, value] of Object.entries(raw)) {
    node[key] = readScalar(value, 'string', `${path}.${key}`);
  }
  return node;
}

/** A scalar's text. A string that holds references passes: it is read again once they are bound. */
function readScalar(
  raw: unknown,
  kind: ScalarKind,
  path: string,
  values?: readonly string[],
): string {
  return typeof raw === 'string' && hasReferences(raw) ? raw : scalar(raw, kind, path, values);
}

/** Coerces as thermos.md §1.3 allows and renders as Python would; a defect where it does not fit. */
export function scalar(
  raw: unknown,
  kind: ScalarKind,
  path: string,
  values?: readonly string[],
): string {
  const read = coerce(raw, kind) ?? defect(path, `must be ${KIND_NAMES[kind]}`);
  if (values !== undefined && !values.includes(read)) {
    defect(path, `must be one of ${values.join(', ')}`);
  }
  return read;
}

const KIND_NAMES: Readonly<Record<ScalarKind, string>> = {
  string: 'a string',
  int: 'an integer',
  float: 'a number',
  bool: 'true or false',
};

const INTEGER = /^\s*[+-]?\d+\s*$/;
const NUMBER = /^\s*[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?\s*$/i;

function coerce(raw: unknown, kind: ScalarKind): string | undefined {
  const isText = typeof raw === 'string';
  const isNumber = typeof raw === 'number';
  switch (kind) {
    case 'string':
      return isText || isNumber ? String(raw) : undefined;
    case 'int': {
      const value = isNumber ? Math.trunc(raw) : isText && INTEGER.test(raw) ? Number(raw) : NaN;
      return Number.isSafeInteger(value) ? String(value) : undefined;
    }
    case 'float': {
      const value = isNumber || (isText && NUMBER.test(raw)) ? Number(raw) : NaN;
      if (!Number.isFinite(value)) return undefined;
      return Number.isInteger(value) && Math.abs(value) < 1e16 ? value.toFixed(1) : String(value);
    }
    case 'bool': {
      if (typeof raw === 'boolean' || isNumber) return raw ? 'True' : 'False';
      const lower = isText ? raw.toLowerCase() : '';
      if (lower === 'true' || lower === '1') return 'True';
      return lower === 'false' || lower === '0' ? 'False' : undefined;
    }
  }
}
