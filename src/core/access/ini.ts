/**
 * Shiro's INI format (operations.md §1.4): sections of lines with a key and a value. Errors begin with the
 * number of the line they are about.
 */

export interface IniEntry {
  /** Counted from 1; of a continued line the first one. */
  readonly line: number;
  readonly key: string;
  readonly value: string;
}

/** Entries by section; what stands before the first header belongs to the section ''. None is empty. */
export type IniSections = ReadonlyMap<string, readonly IniEntry[]>;

/** An error about one line. */
export function lineError(line: number, problem: string): Error {
  return new Error(`line ${line}: ${problem}`);
}

const SEPARATOR = /[\s:=]/;

/** Up to the first separator without a backslash before it; the value follows the run of separators. */
function entryOf(text: string, line: number): IniEntry {
  let end = 0;
  while (end < text.length && !(SEPARATOR.test(text[end]!) && text[end - 1] !== '\\')) end++;
  let start = end;
  while (start < text.length && SEPARATOR.test(text[start]!)) start++;
  const key = text.slice(0, end);
  const value = text.slice(start);
  if (key === '' || value === '') throw lineError(line, 'must be a name, "=" and a value');
  return { line, key, value };
}

const isContinued = (text: string): boolean => /(?:^|[^\\])(?:\\\\)*\\$/.test(text);

/** @throws Error for a line that is no entry, or is continued by nothing */
export function parseIni(text: string): IniSections {
  const sections = new Map<string, IniEntry[]>();
  let section: { readonly name: string; readonly entries: IniEntry[] } = { name: '', entries: [] };
  let open: { readonly line: number; text: string } | undefined;
  const end = (): void => {
    if (open !== undefined) {
      throw lineError(open.line, 'ends with a backslash, but no line follows that continues it');
    }
    // A repeated section replaces the earlier one; an empty one is none.
    if (section.entries.length > 0) sections.set(section.name, section.entries);
  };
  for (const [index, raw] of text.split(/\r\n|\r|\n/).entries()) {
    const line = raw.trim();
    if (line === '' || line.startsWith('#') || line.startsWith(';')) continue;
    if (line.startsWith('[') && line.endsWith(']')) {
      end();
      section = { name: line.slice(1, -1).trim(), entries: [] };
      continue;
    }
    open ??= { line: index + 1, text: '' };
    if (isContinued(line)) {
      open.text += line.slice(0, -1);
      continue;
    }
    section.entries.push(entryOf((open.text + line).trim(), open.line));
    open = undefined;
  }
  end();
  return sections;
}

/**
 * The comma-separated tokens of a value, trimmed. A quoted token may hold commas, and `""` inside it is one
 * quote.
 *
 * @throws Error for a quote that is not closed
 */
export function tokensOf({ value, line }: IniEntry): string[] {
  const tokens: string[] = [];
  let token = '';
  let inQuotes = false;
  for (let i = 0; i < value.length; i++) {
    const char = value[i]!;
    if (char === '"') {
      if (inQuotes && value[i + 1] === '"') {
        token += char;
        i++;
      } else inQuotes = !inQuotes;
    } else if (char === ',' && !inQuotes) {
      tokens.push(token.trim());
      token = '';
    } else token += char;
  }
  if (inQuotes) throw lineError(line, 'a quote is opened and never closed');
  return [...tokens, token.trim()];
}
