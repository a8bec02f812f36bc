/**
 * From command line, environment and file to one frozen configuration (operations.md §5.1).
 *
 * Precedence: command line, environment, file, default. All mistakes are reported together.
 */
import { FLAGS, IGNORED_FLAGS, type Config, type Flag, type Surroundings } from './flags.js';
import { nearest } from './nearest.js';

export type ParseResult =
  | { readonly config: Config; readonly warnings: readonly string[] }
  | { readonly errors: readonly string[] };

/** A value as somebody wrote it; `undefined` where a flag stood alone. */
interface Setting {
  readonly name: string;
  readonly text: string | undefined;
  /** Where it was written, for messages. */
  readonly where: string;
}

const TABLE: Readonly<Record<string, Flag<unknown>>> = FLAGS;
const ENV_PREFIX = 'AURORA_';
const FLAG = /^--?([A-Za-z][A-Za-z0-9_-]*)(?:=(.*))?$/s;
const IGNORED = IGNORED_FLAGS.map((name) => new RegExp(`^${name.replace('*', '.*')}$`));

const isIgnored = (name: string): boolean => IGNORED.some((pattern) => pattern.test(name));
const isKnown = (name: string): boolean => Object.hasOwn(TABLE, name);

/**
 * @param argv arguments after the subcommand.
 * @param env environment; `AURORA_<FLAG>` counts, and `DATABASE_URL` for `AURORA_DATABASE_URL`. An empty
 *   variable counts as unset.
 * @param readFile reads the file of `--config_file`, as text; its exceptions become errors.
 * @param surroundings what some defaults depend on.
 */
export function parseConfig(
  argv: readonly string[],
  env: Readonly<Record<string, string | undefined>>,
  readFile: (path: string) => string,
  surroundings: Surroundings,
): ParseResult {
  const errors: string[] = [];
  const fromArguments = readArguments(argv, errors);
  const fromEnvironment = readEnvironment(env);
  const file = lastOf('config_file', [...fromEnvironment, ...fromArguments])?.text;
  const fromFile = file === undefined ? [] : readConfigFile(file, readFile, errors);

  const settings = new Map<string, Setting>();
  const ignored = new Set<string>();
  for (const setting of [...fromFile, ...fromEnvironment, ...fromArguments]) {
    if (isKnown(setting.name)) settings.set(setting.name, setting);
    else if (isIgnored(setting.name)) ignored.add(setting.name);
    else errors.push(unknown(setting));
  }

  const values = readValues(settings, errors);
  if (errors.length > 0) return { errors };
  deriveDefaults(values, settings, surroundings);
  const config = freeze(values);
  const contradictions = contradictionsOf(config);
  if (contradictions.length > 0) return { errors: contradictions };

  const warnings = [...withoutEffect(settings), ...typos(env)];
  if (ignored.size > 0) {
    const names = [...ignored].sort().join(', ');
    warnings.unshift(`accepted and ignored, for they mean nothing to aurora-shim: ${names}`);
  }
  return { config, warnings };
}

function readArguments(argv: readonly string[], errors: string[]): Setting[] {
  const settings: Setting[] = [];
  for (let i = 0; i < argv.length; i++) {
    const argument = argv[i] ?? '';
    const [, name, attached] = FLAG.exec(argument) ?? [];
    if (name === undefined) {
      errors.push(`unexpected argument "${argument}"`);
      continue;
    }
    const next = argv[i + 1];
    const detached = attached === undefined && next !== undefined && !FLAG.test(next);
    if (detached) i++;
    settings.push({ name, text: detached ? next : attached, where: `--${name}` });
  }
  return settings;
}

function readEnvironment(env: Readonly<Record<string, string | undefined>>): Setting[] {
  const settings: Setting[] = [];
  const add = (name: string, variable: string): void => {
    const value = env[variable];
    if (value !== undefined && value !== '') settings.push({ name, text: value, where: variable });
  };
  add('database_url', 'DATABASE_URL');
  for (const variable of Object.keys(env).sort()) {
    const name = variable.slice(ENV_PREFIX.length).toLowerCase();
    // Other programs have variables of that prefix too, so unknown ones are no error.
    if (variable.startsWith(ENV_PREFIX) && (isKnown(name) || isIgnored(name))) add(name, variable);
  }
  return settings;
}

function readConfigFile(
  path: string,
  readFile: (path: string) => string,
  errors: string[],
): Setting[] {
  let text: string;
  try {
    text = readFile(path);
  } catch (error) {
    errors.push(`--config_file: cannot read ${path} (${(error as Error).message})`);
    return [];
  }
  const settings: Setting[] = [];
  for (const [index, raw] of text.split(/\r?\n/).entries()) {
    const line = raw.trim();
    if (line === '' || line.startsWith('#')) continue;
    const where = `${path}:${index + 1}`;
    const [, name, value] = /^-{0,2}([A-Za-z][A-Za-z0-9_-]*)\s*=\s*(.*)$/.exec(line) ?? [];
    if (name === undefined || value === undefined) {
      errors.push(`${where}: not a line of the form name=value`);
    } else if (name === 'config_file') {
      errors.push(`${where}: a configuration file cannot name another`);
    } else {
      settings.push({ name, text: value, where });
    }
  }
  return settings;
}

const lastOf = (name: string, settings: readonly Setting[]): Setting | undefined =>
  settings.filter((setting) => setting.name === name).at(-1);

function unknown({ name, where }: Setting): string {
  const place = where === `--${name}` ? '' : `${where}: `;
  const close = nearest(name.replaceAll('-', '_'), Object.keys(TABLE));
  const hint = close === undefined ? '' : ` Did you mean --${close}?`;
  return `${place}there is no flag --${name}.${hint}`;
}

function readValues(
  settings: ReadonlyMap<string, Setting>,
  errors: string[],
): Record<string, unknown> {
  const values: Record<string, unknown> = {};
  for (const [name, flag] of Object.entries(TABLE)) {
    const setting = settings.get(name);
    const fallback = 'text' in flag.default ? flag.default.text : undefined;
    const text = setting ? (setting.text ?? (flag.kind.bare ? 'true' : undefined)) : fallback;
    if (text === undefined) {
      if (setting) errors.push(`${setting.where}: needs a value, ${flag.kind.placeholder}`);
      values[name] = undefined;
      continue;
    }
    try {
      values[name] = flag.kind.parse(text);
    } catch (error) {
      errors.push(`${setting?.where ?? `--${name}`}: ${(error as Error).message}`);
    }
  }
  return values;
}

function deriveDefaults(
  values: Record<string, unknown>,
  settings: ReadonlyMap<string, Setting>,
  surroundings: Surroundings,
): void {
  for (const [name, flag] of Object.entries(TABLE)) {
    if ('from' in flag.default && !settings.has(name)) {
      values[name] = flag.default.from?.(values, surroundings);
    }
  }
}

function freeze(values: Record<string, unknown>): Config {
  for (const value of Object.values(values)) {
    // Not regular expressions: their lastIndex is written by matching.
    if (typeof value !== 'object' || value === null || value instanceof RegExp) continue;
    Object.freeze(value);
    if (Array.isArray(value)) value.forEach((item) => Object.freeze(item));
  }
  // Each entry was read by the kind its flag declares; see the type of Config.
  return Object.freeze(values) as Config;
}

/** Flags that are set and that nothing reads so far, in the order of the table. */
function withoutEffect(settings: ReadonlyMap<string, Setting>): string[] {
  return Object.entries(TABLE).flatMap(([name, { notYet }]) =>
    notYet && settings.has(name) ? [`--${name} has no effect yet`] : [],
  );
}

/** Flags that need each other. */
function contradictionsOf(config: Config): string[] {
  const found: string[] = [];
  const { http_authentication_mechanism: mechanism } = config;
  if (mechanism !== 'NONE' && config.shiro_ini_path === undefined) {
    found.push(`--http_authentication_mechanism=${mechanism} needs --shiro_ini_path`);
  }
  if (
    mechanism === 'NEGOTIATE' &&
    (config.kerberos_server_keytab === undefined || config.kerberos_server_principal === undefined)
  ) {
    found.push(
      '--http_authentication_mechanism=NEGOTIATE needs --kerberos_server_keytab and ' +
        '--kerberos_server_principal',
    );
  }
  return found;
}

/** Variables that look like a misspelt flag of ours. */
function typos(env: Readonly<Record<string, string | undefined>>): string[] {
  const warnings: string[] = [];
  for (const variable of Object.keys(env).sort()) {
    const name = variable.slice(ENV_PREFIX.length).toLowerCase();
    if (!variable.startsWith(ENV_PREFIX) || isKnown(name) || isIgnored(name)) continue;
    const close = nearest(name, Object.keys(TABLE));
    if (close === undefined) continue;
    warnings.push(`${variable} is not used; did you mean ${ENV_PREFIX}${close.toUpperCase()}?`);
  }
  return warnings;
}
