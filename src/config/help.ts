/** The table of flags as text: for `--help`, and for docs/flags.md. */
import { FLAGS, GROUPS, IGNORED_FLAGS, type Flag } from './flags.js';

const TABLE: Readonly<Record<string, Flag<unknown>>> = FLAGS;

/** Which help was asked for, if any: `--help` (or `-h`), `--help=all`. */
export function wantsHelp(argv: readonly string[]): 'common' | 'all' | undefined {
  if (argv.some((argument) => /^--?help=all$/.test(argument))) return 'all';
  return argv.some((argument) => /^(--?help|-h)$/.test(argument)) ? 'common' : undefined;
}

/** `--help`: the common flags, on one screen; `--help=all`: every flag, by group. */
export function helpText(which: 'common' | 'all'): string {
  const lines = [
    'aurora-shim serve [flags]        serve the Aurora API',
    'aurora-shim migrate [flags]      bring the database schema up to date and end',
    '',
  ];
  if (which === 'common') {
    const common = Object.entries(TABLE).filter(([, flag]) => flag.common);
    lines.push('Flags (--help=all: every one):', ...columns(common));
  } else {
    for (const [group, title] of Object.entries(GROUPS)) {
      const members = Object.entries(TABLE).filter(([, flag]) => flag.group === group);
      lines.push(`${title}:`, ...columns(members), '');
    }
    lines.push('Accepted and ignored (no Mesos, replicated log or JVM here):');
    lines.push(...wrap(IGNORED_FLAGS.join(' '), 96).map((line) => `  ${line}`));
  }
  lines.push(
    '',
    'Also --name=value, -name=value, AURORA_<NAME> in the environment, name=value in --config_file;',
    'the first of command line, environment and file counts. Times: 500ms 30secs 5mins 2hrs 7days.',
  );
  return lines.join('\n') + '\n';
}

function columns(flags: readonly (readonly [string, Flag<unknown>])[]): string[] {
  const width = Math.max(...flags.map(([name]) => name.length));
  return flags.flatMap(([name, flag]) => {
    const [first = '', ...more] = wrap(`${meaning(flag)}${suffix(flag)}`, 94 - width);
    const margin = ' '.repeat(width + 6);
    return [`  --${name.padEnd(width)}  ${first}`, ...more.map((line) => margin + line)];
  });
}

const meaning = ({ help, notYet }: Flag<unknown>): string =>
  notYet ? `${help} (no effect yet)` : help;

function suffix(flag: Flag<unknown>): string {
  const choices = /^[A-Za-z_]+(\|[A-Za-z_]+)+$/.test(flag.kind.placeholder) && !flag.kind.bare;
  const value = choices ? `${flag.kind.placeholder.replaceAll('|', ' | ')}; ` : '';
  return ` [${value}${defaultOf(flag)}]`;
}

const defaultOf = ({ default: value }: Flag<unknown>): string =>
  'words' in value ? value.words : value.text === '' ? 'empty' : value.text;

function wrap(text: string, width: number): string[] {
  const lines: string[] = [];
  for (const word of text.split(' ')) {
    const last = lines.at(-1);
    if (last === undefined || last.length + 1 + word.length > width) lines.push(word);
    else lines[lines.length - 1] = `${last} ${word}`;
  }
  return lines;
}

/** docs/flags.md as a whole. */
export function describeFlags(): string {
  const parts = [
    '# Flags',
    '',
    '<!-- Generated from src/config/flags.ts; a test compares (test/config/help.test.ts). -->',
    '',
    'Every flag of `aurora-shim serve` and `aurora-shim migrate`. Names are Aurora’s where Aurora has the',
    'flag; those marked _ours_ it has not.',
    '',
    ...table([
      ['Where', 'How'],
      ['Command line', '`--name value`, `--name=value`, one dash as well; `--name` for `=true`'],
      ['Environment', '`AURORA_<NAME>` in capitals; also `DATABASE_URL`; empty is unset'],
      ['File', '`--config_file`: lines `name=value`, `#` for comments'],
      ['Precedence', 'command line, environment, file, default'],
      ['Lists', 'comma-separated; an empty value is the empty list'],
      ['Times', 'digits and `ns`, `us`, `ms`, `secs`, `mins`, `hrs` or `days`'],
      ['Sizes', 'digits and `B`, `KB`, `MB`, `GB`, `TB` or `PB`'],
    ]),
    '',
  ];
  for (const [group, title] of Object.entries(GROUPS)) {
    const rows = Object.entries(TABLE)
      .filter(([, flag]) => flag.group === group)
      .map(([name, flag]) => [
        `\`--${name}\`${flag.origin === 'ours' ? ' _ours_' : ''}`,
        escaped(flag.kind.placeholder),
        'words' in flag.default ? escaped(flag.default.words) : code(flag.default.text),
        escaped(meaning(flag)),
      ]);
    parts.push(`## ${title}`, '', ...table([['Flag', 'Value', 'Default', 'Meaning'], ...rows]), '');
  }
  parts.push(
    '## Accepted and ignored',
    '',
    'Aurora’s flags for Mesos, the replicated log, class loading and JVM threads do nothing here. They are',
    'accepted, with one warning, so that existing start scripts work (`*` stands for any characters):',
    '',
    ...IGNORED_FLAGS.map((name) => `- \`--${name}\``),
    '',
  );
  return parts.join('\n');
}

/** Markdown table lines, the first row as heading, columns padded as prettier does. */
function table(rows: readonly (readonly string[])[]): string[] {
  const widths = (rows[0] ?? []).map((_, column) =>
    Math.max(...rows.map((row) => row[column]?.length ?? 0)),
  );
  const rule = widths.map((width) => '-'.repeat(width));
  const [heading = [], ...body] = rows;
  return [heading, rule, ...body].map(
    (row) => `| ${row.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join(' | ')} |`,
  );
}

const escaped = (value: string): string =>
  value.replaceAll('|', '\\|').replaceAll('<', '&lt;').replaceAll('>', '&gt;');

const code = (value: string): string =>
  value === '' ? 'empty' : `\`${value.replaceAll('|', '\\|')}\``;
