import * as admin from '#thrift/AuroraAdmin';
import * as ttypes from '#thrift/aurora_types';
import { Thrift } from 'thrift';
import { IdlError } from '../../src/wire/idl-tokens.js';
import { auroraSchema, parseIdl } from '../../src/wire/idl.js';
import { methodsOf, structOf, typeText, type FieldSchema } from '../../src/wire/schema.js';
import { sharedText } from './shared.js';

interface ApiField {
  id: number;
  name: string;
  type: string;
  req?: string;
  default?: unknown;
}

interface Api {
  enums: Record<string, Record<string, number>>;
  consts: Record<string, { type: string; value: unknown }>;
  structs: Record<string, ApiField[]>;
  unions: Record<string, ApiField[]>;
  exceptions: object;
  typedefs: object;
  services: Record<
    string,
    { extends: string | null; methods: Record<string, { returns: string; args: ApiField[] }> }
  >;
  source_differences: { where: string; difference: string }[];
  retired: {
    fields: { in: string; id: number; name: string }[];
    args: { in: string; id: number; name: string }[];
    methods: { name: string }[];
    types: { name: string }[];
  };
}

const schema = auroraSchema();
const text = sharedText('spec/aurora-api.json', 'the IDL against the contract as data');
const api = text === undefined ? undefined : (JSON.parse(text) as Api);
const withApi = api === undefined ? test.skip : test;

function fieldOf(field: FieldSchema): ApiField {
  const { id, name, requiredness, defaultValue } = field;
  const shape = { id, name, type: typeText(field.type), req: requiredness };
  return defaultValue === undefined
    ? shape
    : { ...shape, default: JSON.parse(JSON.stringify(defaultValue)) as unknown };
}

function withoutRequiredness({ id, name, type, default: value }: ApiField): ApiField {
  return value === undefined ? { id, name, type } : { id, name, type, default: value };
}

function byId(fields: ApiField[]): ApiField[] {
  return fields.sort((a, b) => a.id - b.id);
}

function structsOf(kind: 'struct' | 'union'): string[] {
  return [...schema.structs.values()].filter((s) => s.kind === kind).map((s) => s.name);
}

/** Sets are compared as sets, whatever order the IDL lists them in. */
function constValue(value: unknown): unknown {
  return Array.isArray(value) ? [...(value as unknown[])].sort() : value;
}

describe('thrift/aurora.thrift against the contract (wire.md §8.3)', () => {
  withApi('has the contract’s types and no others', () => {
    expect([...schema.enums.keys()].sort()).toEqual(Object.keys(api!.enums).sort());
    expect(structsOf('struct').sort()).toEqual(Object.keys(api!.structs).sort());
    expect(structsOf('union').sort()).toEqual(Object.keys(api!.unions).sort());
    expect([...schema.consts.keys()].sort()).toEqual(Object.keys(api!.consts).sort());
    expect([...schema.services.keys()].sort()).toEqual(Object.keys(api!.services).sort());
    expect({ ...api!.exceptions, ...api!.typedefs }).toEqual({});
    expect([8, 80, 8, 12, 3]).toEqual([
      schema.enums.size,
      structsOf('struct').length,
      structsOf('union').length,
      schema.consts.size,
      schema.services.size,
    ]);
  });

  withApi('has the contract’s enums, number by number', () => {
    for (const [name, members] of Object.entries(api!.enums)) {
      expect([name, Object.fromEntries(schema.enums.get(name)!.byName)]).toEqual([name, members]);
    }
  });

  withApi('has the contract’s constants', () => {
    for (const [name, { type, value }] of Object.entries(api!.consts)) {
      const ours = schema.consts.get(name)!;
      expect([name, typeText(ours.type), constValue(ours.value)]).toEqual([
        name,
        type,
        constValue(value),
      ]);
    }
  });

  withApi('has the contract’s structs, field by field', () => {
    const mayBeOptional = new Set(
      api!.source_differences
        .filter(({ difference }) => difference === 'req is optional')
        .map(({ where }) => where),
    );
    for (const [name, fields] of Object.entries(api!.structs)) {
      const ours = structOf(schema, name).fields.map(fieldOf);
      const theirs = fields.map((field, at) =>
        mayBeOptional.has(`${name}.${field.id}`) && ours[at]?.req === 'optional'
          ? { ...field, req: 'optional' }
          : field,
      );
      expect([name, ours]).toEqual([name, theirs]);
    }
  });

  withApi('has the contract’s unions, member by member', () => {
    for (const [name, members] of Object.entries(api!.unions)) {
      const ours = structOf(schema, name).fields.map(fieldOf).map(withoutRequiredness);
      expect([name, ours]).toEqual([name, members]);
    }
  });

  withApi('has the contract’s services, argument by argument', () => {
    for (const [name, { extends: base, methods }] of Object.entries(api!.services)) {
      const ours = schema.services.get(name)!;
      expect([name, ours.base ?? null]).toEqual([name, base]);
      const shapes = [...ours.methods.values()].map(({ name: method, returns, args }) => [
        method,
        { returns: typeText(returns), args: byId(args.map(fieldOf).map(withoutRequiredness)) },
      ]);
      expect([name, Object.fromEntries(shapes)]).toEqual([name, methods]);
      const optional = [...ours.methods.values()].flatMap(({ args }) =>
        args.filter(({ requiredness }) => requiredness === 'optional'),
      );
      expect(optional).toEqual([]);
    }
  });

  withApi('brings back nothing under the id and the name of something retired', () => {
    const { fields, args, methods, types } = api!.retired;
    const back = [
      ...fields.filter((old) =>
        schema.structs.get(old.in)?.fields.some((f) => f.id === old.id && f.name === old.name),
      ),
      ...args.filter((old) =>
        methodsOf(schema, 'AuroraAdmin')
          .get(old.in)
          ?.args.some((f) => f.id === old.id && f.name === old.name),
      ),
      ...methods.filter((old) => methodsOf(schema, 'AuroraAdmin').has(old.name)),
      ...types.filter((old) => schema.structs.has(old.name) || schema.enums.has(old.name)),
    ];
    // The contract itself brought these back, with another type.
    const returned = new Set([
      'GetQuotaResult.quota',
      'JobSummaryResult.summaries',
      'Result.jobSummaryResult',
      'setQuota.quota',
    ]);
    expect(
      back
        .map((old) => ('in' in old ? `${old.in}.${old.name}` : old.name))
        .filter((name) => !returned.has(name)),
    ).toEqual([]);
  });
});

/** Records what a stub writes of a struct's own fields; nested structs are skipped by giving them no fields. */
function fieldsWritten(instance: { write(output: unknown): void }): [string, number, number][] {
  const written: [string, number, number][] = [];
  const output = new Proxy(
    {},
    {
      get: (_, method) => (name: string, type: number, id: number) => {
        if (method === 'writeFieldBegin') written.push([name, type, id]);
      },
    },
  );
  instance.write(output);
  return written;
}

function wireType(field: FieldSchema): number {
  const types: Record<FieldSchema['type']['kind'], number> = {
    bool: Thrift.Type.BOOL,
    i32: Thrift.Type.I32,
    i64: Thrift.Type.I64,
    double: Thrift.Type.DOUBLE,
    string: Thrift.Type.STRING,
    enum: Thrift.Type.I32,
    struct: Thrift.Type.STRUCT,
    list: Thrift.Type.LIST,
    set: Thrift.Type.SET,
    map: Thrift.Type.MAP,
  };
  return types[field.type.kind];
}

describe('thrift/gen against thrift/aurora.thrift', () => {
  const stubs = ttypes as unknown as Record<string, new () => Record<string, unknown>>;

  test('every struct has the same fields with the same ids and types', () => {
    for (const struct of schema.structs.values()) {
      const instance = new stubs[struct.name]!();
      expect([struct.name, Object.keys(instance).sort()]).toEqual([
        struct.name,
        struct.fields.map(({ name }) => name).sort(),
      ]);
      const nothing = { write: () => undefined };
      for (const { name, type } of struct.fields) {
        const isList = type.kind === 'list' || type.kind === 'set';
        instance[name] =
          type.kind === 'struct' ? nothing : isList ? [] : type.kind === 'map' ? {} : 1;
      }
      const written = fieldsWritten(instance as unknown as { write(output: unknown): void });
      expect([struct.name, written.sort((a, b) => a[2] - b[2])]).toEqual([
        struct.name,
        struct.fields.map((field) => [field.name, wireType(field), field.id]),
      ]);
    }
  });

  test('every enum has the same members', () => {
    for (const { name, byName } of schema.enums.values()) {
      // Stubs have each member twice: by name and by number.
      const members = (ttypes as unknown as Record<string, object>)[name]!;
      expect([name, members]).toEqual([
        name,
        Object.fromEntries(
          [...byName].flatMap(([key, n]) => [[key, n] as const, [n, key] as const]),
        ),
      ]);
    }
  });

  test('the processor has the service’s methods', () => {
    const names = new Set<string>();
    for (
      let level = admin.Processor.prototype as object | null;
      level !== null;
      level = Object.getPrototypeOf(level) as object | null
    ) {
      for (const name of Object.getOwnPropertyNames(level)) {
        if (name.startsWith('process_')) names.add(name.slice('process_'.length));
      }
    }
    expect([...names].sort()).toEqual([...methodsOf(schema, 'AuroraAdmin').keys()].sort());
    expect(names.size).toBe(45);
  });
});

describe('the IDL reader', () => {
  const read = (files: Record<string, string>) =>
    parseIdl('main.thrift', (path) => {
      const content = files[path];
      if (content === undefined) throw new Error(`no ${path}`);
      return content;
    });

  test('reads comments, separators, literals and defaults', () => {
    const parsed = read({
      'main.thrift': `
        # one
        // two /* not a start
        /** three */
        namespace * x.y
        enum E { A = 1; B = -2, }
        const string C = 'it\\'s "\\n"'
        const map<string, list<double>> M = {"k": [1, 2.5e1], "__proto__": []};
        struct S { 3: optional set<E> es = [E.A, B] ; 1: bool b = true }
        union U { 1: S s }
        service V { S f(2: U u, 1: i64 n), }
      `,
    });
    expect(parsed.enums.get('E')!.byNumber.get(-2)).toBe('B');
    expect(parsed.consts.get('C')!.value).toBe('it\'s "\n"');
    expect(Object.entries(parsed.consts.get('M')!.value)).toEqual([
      ['k', [1, 25]],
      ['__proto__', []],
    ]);
    expect(structOf(parsed, 'S').fields.map((f) => [f.id, f.defaultValue])).toEqual([
      [1, true],
      [3, ['A', 'B']],
    ]);
    expect(
      methodsOf(parsed, 'V')
        .get('f')!
        .args.map((a) => a.name),
    ).toEqual(['u', 'n']);
  });

  test('a second file may extend a service of the first', () => {
    const parsed = read({
      'main.thrift': 'include "a.thrift"\nservice B extends a.A { a.K g(1: a.K k) }',
      'a.thrift': 'struct K { 1: string id } service A { K f(1: K k) }',
    });
    expect([...methodsOf(parsed, 'B').keys()]).toEqual(['g', 'f']);
  });

  test.each([
    ['struct S { 1: i16 a }', 'main.thrift:1: i16 is not supported'],
    ['struct S {\n 1: Nope a }', 'main.thrift:2: unknown type Nope'],
    ['struct S { 1: i32 a, 1: i32 b }', 'there twice'],
    ['struct S { 0: i32 a }', 'has the id 0'],
    ['struct S { 1: required i32 a }', 'unknown type required'],
    ['struct S {} struct S {}', 'S is there twice'],
    ['enum E { A = 1, B = 1 }', 'E.B is there twice'],
    ['enum E { A }', '= expected, not }'],
    ['const i32 A = "x"', 'x is not a value of that type'],
    ['typedef i32 T', 'typedef is not supported'],
    ['service A extends B {}', 'unknown service B'],
    ['struct S { 1: i32 a', 'int expected, not the end of the file'],
    ['struct S { 1: i32 ä }', 'unexpected "ä"'],
  ])('refuses %j', (content, message) => {
    expect(() => read({ 'main.thrift': content })).toThrow(IdlError);
    expect(() => read({ 'main.thrift': content })).toThrow(message);
  });
});
