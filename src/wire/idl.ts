/**
 * Reads Thrift IDL files into a schema. Only what our files use is understood: namespaces, includes,
 * constants, enums, structs, unions and services without oneway, throws or typedefs. Anything else stops
 * with the file and the line, because a part that was skipped would be a hole in the contract.
 */
import { existsSync, readFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { IdlError, tokenize, type Token } from './idl-tokens.js';
import type {
  BaseType,
  ConstSchema,
  ConstValue,
  EnumSchema,
  FieldSchema,
  MethodSchema,
  Schema,
  ServiceSchema,
  StructSchema,
  TypeRef,
} from './schema.js';

const BASE_TYPES: ReadonlySet<string> = new Set(['bool', 'i32', 'i64', 'double', 'string']);
const UNSUPPORTED_TYPES: ReadonlySet<string> = new Set(['byte', 'i8', 'i16', 'binary', 'uuid']);

/** A schema while files are added to it. */
interface Draft {
  readonly enums: Map<string, EnumSchema>;
  readonly structs: Map<string, StructSchema>;
  readonly consts: Map<string, ConstSchema>;
  readonly services: Map<string, ServiceSchema>;
}

/** A constant as written; a word may turn out to be a boolean or a member of an enum. */
type RawConst =
  { readonly token: Token } | RawConst[] | { readonly entries: [RawConst, RawConst][] };

class Parser {
  private at = 0;
  private readonly tokens: readonly Token[];

  constructor(
    text: string,
    private readonly file: string,
    private readonly draft: Draft,
    private readonly include: (path: string) => void,
  ) {
    this.tokens = tokenize(text, file);
  }

  parse(): void {
    while (this.peek().kind !== 'end') this.definition();
  }

  private definition(): void {
    const word = this.word();
    switch (word) {
      case 'namespace':
        this.next();
        this.next();
        return;
      case 'include':
        return this.include(this.expect('literal').text);
      case 'const':
        return this.constant();
      case 'enum':
        return this.enumeration();
      case 'struct':
      case 'union':
        return this.structure(word);
      case 'service':
        return this.service();
      default:
        this.fail(`${word} is not supported`);
    }
  }

  private constant(): void {
    const type = this.type();
    const name = this.newName(this.draft.consts);
    this.sign('=');
    this.draft.consts.set(name, { type, value: this.resolve(this.rawConst(), type) });
    this.separator();
  }

  private enumeration(): void {
    const name = this.newName(this.draft.enums, this.draft.structs);
    const byName = new Map<string, number>();
    const byNumber = new Map<number, string>();
    this.sign('{');
    while (!this.accept('}')) {
      const member = this.word();
      this.sign('=');
      const number = Number(this.expect('int').text);
      if (byName.has(member) || byNumber.has(number)) this.fail(`${name}.${member} is there twice`);
      byName.set(member, number);
      byNumber.set(number, member);
      this.separator();
    }
    this.draft.enums.set(name, { name, byName, byNumber });
  }

  private structure(kind: 'struct' | 'union'): void {
    const name = this.newName(this.draft.enums, this.draft.structs);
    this.sign('{');
    const fields = this.fields('}').sort((a, b) => a.id - b.id);
    this.draft.structs.set(name, { name, kind, fields });
  }

  private service(): void {
    const name = this.newName(this.draft.services);
    const base = this.acceptWord('extends') ? this.reference() : undefined;
    if (base !== undefined && !this.draft.services.has(base)) this.fail(`unknown service ${base}`);
    const methods = new Map<string, MethodSchema>();
    this.sign('{');
    while (!this.accept('}')) {
      const returns = this.type();
      const method = this.word();
      this.sign('(');
      const args = this.fields(')');
      if (methods.has(method)) this.fail(`${name}.${method} is there twice`);
      methods.set(method, { name: method, returns, args });
      this.separator();
    }
    this.draft.services.set(name, base === undefined ? { name, methods } : { name, base, methods });
  }

  private fields(end: string): FieldSchema[] {
    const fields: FieldSchema[] = [];
    while (!this.accept(end)) {
      const id = Number(this.expect('int').text);
      this.sign(':');
      const requiredness = this.acceptWord('optional') ? 'optional' : 'default';
      const type = this.type();
      const name = this.word();
      if (id <= 0) this.fail(`field ${name} has the id ${id}`);
      if (fields.some((other) => other.id === id || other.name === name)) {
        this.fail(`field ${id} or ${name} is there twice`);
      }
      const field = { id, name, type, requiredness } as const;
      fields.push(
        this.accept('=') ? { ...field, defaultValue: this.resolve(this.rawConst(), type) } : field,
      );
      this.separator();
    }
    return fields;
  }

  /** Types must be declared before they are used, so a name that is unknown here is a mistake. */
  private type(): TypeRef {
    const name = this.reference();
    if (name === 'list' || name === 'set') {
      this.sign('<');
      const element = this.type();
      this.sign('>');
      return { kind: name, element };
    }
    if (name === 'map') {
      this.sign('<');
      const key = this.type();
      this.sign(',');
      const value = this.type();
      this.sign('>');
      return { kind: 'map', key, value };
    }
    if (BASE_TYPES.has(name)) return { kind: name as BaseType };
    if (this.draft.enums.has(name)) return { kind: 'enum', name };
    if (this.draft.structs.has(name)) return { kind: 'struct', name };
    return this.fail(
      UNSUPPORTED_TYPES.has(name) ? `${name} is not supported` : `unknown type ${name}`,
    );
  }

  private rawConst(): RawConst {
    if (this.accept('[')) {
      const items: RawConst[] = [];
      while (!this.accept(']')) {
        items.push(this.rawConst());
        this.separator();
      }
      return items;
    }
    if (this.accept('{')) {
      const entries: [RawConst, RawConst][] = [];
      while (!this.accept('}')) {
        const key = this.rawConst();
        this.sign(':');
        entries.push([key, this.rawConst()]);
        this.separator();
      }
      return { entries };
    }
    return { token: this.next() };
  }

  private resolve(raw: RawConst, type: TypeRef): ConstValue {
    if (Array.isArray(raw)) {
      if (type.kind !== 'list' && type.kind !== 'set')
        return this.fail('a list where none belongs');
      return raw.map((item) => this.resolve(item, type.element));
    }
    if ('entries' in raw) {
      const value = Object.create(null) as Record<string, ConstValue>;
      for (const [rawKey, rawValue] of raw.entries) {
        const key = String(this.resolve(rawKey, { kind: 'string' }));
        value[key] = this.resolve(rawValue, this.memberType(type, key));
      }
      return value;
    }
    const { kind, text } = raw.token;
    if (type.kind === 'string' && kind === 'literal') return text;
    if (type.kind === 'double' && (kind === 'int' || kind === 'double')) return Number(text);
    if ((type.kind === 'i32' || type.kind === 'i64') && kind === 'int') return Number(text);
    if (type.kind === 'bool' && (text === 'true' || text === 'false')) return text === 'true';
    if (type.kind === 'enum' && kind === 'word') {
      const member = text.slice(text.lastIndexOf('.') + 1);
      if (this.draft.enums.get(type.name)?.byName.has(member) === true) return member;
    }
    return this.fail(`${text} is not a value of that type`);
  }

  private memberType(type: TypeRef, key: string): TypeRef {
    if (type.kind === 'map') return type.value;
    const struct = type.kind === 'struct' ? this.draft.structs.get(type.name) : undefined;
    const field = struct?.fields.find((candidate) => candidate.name === key);
    return field?.type ?? this.fail(`no member ${key} there`);
  }

  private newName(...tables: readonly ReadonlyMap<string, unknown>[]): string {
    const name = this.word();
    if (tables.some((table) => table.has(name))) this.fail(`${name} is there twice`);
    return name;
  }

  /** A name, without the name of the included file in front: all files share one space of names. */
  private reference(): string {
    const word = this.word();
    return word.slice(word.lastIndexOf('.') + 1);
  }

  private peek(): Token {
    // The token `end` is last and never passed.
    return this.tokens[Math.min(this.at, this.tokens.length - 1)] as Token;
  }

  private next(): Token {
    const token = this.peek();
    this.at++;
    return token;
  }

  private expect(kind: Token['kind']): Token {
    const token = this.peek();
    if (token.kind !== kind) this.fail(`${kind} expected, not ${token.text}`);
    return this.next();
  }

  private word(): string {
    return this.expect('word').text;
  }

  private sign(text: string): void {
    if (!this.accept(text)) this.fail(`${text} expected, not ${this.peek().text}`);
  }

  private accept(sign: string): boolean {
    const token = this.peek();
    if (token.kind !== 'sign' || token.text !== sign) return false;
    this.at++;
    return true;
  }

  private acceptWord(text: string): boolean {
    const token = this.peek();
    if (token.kind !== 'word' || token.text !== text) return false;
    this.at++;
    return true;
  }

  private separator(): void {
    if (!this.accept(',')) this.accept(';');
  }

  private fail(problem: string): never {
    throw new IdlError(this.file, this.peek().line, problem);
  }
}

/**
 * The schema of an IDL file and all it includes.
 * @throws IdlError for what it does not understand, and what `read` throws.
 */
export function parseIdl(
  path: string,
  read: (path: string) => string = (file) => readFileSync(file, 'utf8'),
): Schema {
  const draft: Draft = {
    enums: new Map(),
    structs: new Map(),
    consts: new Map(),
    services: new Map(),
  };
  const seen = new Set<string>();
  const load = (file: string): void => {
    if (seen.has(file)) return;
    seen.add(file);
    new Parser(read(file), basename(file), draft, (other) =>
      load(join(dirname(file), other)),
    ).parse();
  };
  load(path);
  return draft;
}

/**
 * Where an IDL file of this package lies: the first folder upwards that has it under `thrift/`. Compiled
 * code runs one folder deeper than its source, so no fixed number of steps would do.
 * @throws Error when no folder has it.
 */
export function idlPath(name: string): string {
  for (let folder = __dirname; ; folder = dirname(folder)) {
    const path = join(folder, 'thrift', name);
    if (existsSync(path)) return path;
    if (dirname(folder) === folder) throw new Error(`thrift/${name} is missing from the package`);
  }
}

let aurora: Schema | undefined;

/** The schema of thrift/aurora.thrift, read once. */
export function auroraSchema(): Schema {
  aurora ??= parseIdl(idlPath('aurora.thrift'));
  return aurora;
}

let shim: Schema | undefined;

/** The schema of thrift/extension.thrift with all of aurora.thrift, read once. */
export function shimSchema(): Schema {
  shim ??= parseIdl(idlPath('extension.thrift'));
  return shim;
}
