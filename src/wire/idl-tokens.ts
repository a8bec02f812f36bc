/** Cuts IDL text into words, numbers, literals and signs; comments and blanks fall away. */

export interface Token {
  readonly kind: 'word' | 'int' | 'double' | 'literal' | 'sign' | 'end';
  /** A literal's text is without its quotes, escapes resolved. */
  readonly text: string;
  readonly line: number;
}

/** A mistake in an IDL file; the message starts with file and line. */
export class IdlError extends Error {
  override readonly name = 'IdlError';
  constructor(file: string, line: number, problem: string) {
    super(`${file}:${line}: ${problem}`);
  }
}

const PATTERNS: readonly (readonly [Token['kind'] | 'skip', RegExp])[] = [
  ['skip', /\s+|\/\/[^\n]*|#[^\n]*|\/\*[^]*?\*\//y],
  ['word', /[A-Za-z_][\w.]*/y],
  ['double', /[+-]?\d+(?:\.\d+(?:[eE][+-]?\d+)?|[eE][+-]?\d+)/y],
  ['int', /[+-]?\d+/y],
  ['literal', /"(?:[^"\\]|\\[^])*"|'(?:[^'\\]|\\[^])*'/y],
  ['sign', /[{}()[\]<>,;:=*]/y],
];

const ESCAPES: Readonly<Record<string, string>> = { n: '\n', r: '\r', t: '\t' };

function unquote(text: string): string {
  return text.slice(1, -1).replace(/\\([^])/g, (_, sign: string) => ESCAPES[sign] ?? sign);
}

/** @throws IdlError at the first character that starts no token. */
export function tokenize(text: string, file: string): readonly Token[] {
  const tokens: Token[] = [];
  let at = 0;
  let line = 1;
  while (at < text.length) {
    let matched = '';
    for (const [kind, pattern] of PATTERNS) {
      pattern.lastIndex = at;
      matched = pattern.exec(text)?.[0] ?? '';
      if (matched === '') continue;
      if (kind !== 'skip') {
        tokens.push({ kind, text: kind === 'literal' ? unquote(matched) : matched, line });
      }
      break;
    }
    if (matched === '') throw new IdlError(file, line, `unexpected ${JSON.stringify(text[at])}`);
    line += matched.split('\n').length - 1;
    at += matched.length;
  }
  tokens.push({ kind: 'end', text: 'the end of the file', line });
  return tokens;
}
