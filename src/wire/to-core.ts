/**
 * Objects that the generated stubs have read become plain records, the way `core/model` declares them
 * (design D10): IDL field names, enums as names, i64 as numbers, sets without duplicates, unset fields
 * absent or with what `presence.ts` says they stand for.
 *
 * Refused here with INVALID_REQUEST and the field's path, because nothing behind could hold the value
 * (rpc.md §2): text with U+0000 or half a surrogate pair, an i64 beyond 2^53, a double that is no number.
 *
 * Passed on for validation to refuse: a union with no member (none sent, or one we do not know) is a record
 * with no member, and one with several has them all.
 */
import { RefusedError } from '../core/errors.js';
import { emptyIsMissing, unsetValue, type PlainRecord } from './presence.js';
import {
  enumOf,
  structOf,
  type FieldSchema,
  type MethodSchema,
  type Schema,
  type TypeRef,
} from './schema.js';

/** Where a value stands, for messages; built only one struct deep at a time. */
interface Path {
  readonly parent: Path | undefined;
  readonly name: string | number;
}

type Convert = (value: unknown, parent: Path | undefined, name: string | number) => unknown;

/** Converts what a method's stub has read, argument by argument. */
export type ArgumentsToCore = (values: readonly unknown[]) => PlainRecord;

export interface ToCore {
  /**
   * A struct as a plain record; undefined for a key or identity without any field.
   * @throws RefusedError (INVALID_REQUEST) naming the field.
   */
  struct(name: string, value: unknown): PlainRecord | undefined;
  /** The converter for a method's arguments, which come in the order of declaration. */
  args(method: MethodSchema): ArgumentsToCore;
}

function pathText(parent: Path | undefined, name: string | number): string {
  const own = typeof name === 'number' ? `[${name}]` : name;
  if (parent === undefined) return own;
  const before = pathText(parent.parent, parent.name);
  return typeof name === 'number' ? `${before}${own}` : `${before}.${own}`;
}

function refuse(parent: Path | undefined, name: string | number, problem: string): never {
  throw new RefusedError('INVALID_REQUEST', `${pathText(parent, name)} ${problem}`);
}

const text: Convert = (value, parent, name) => {
  // `isWellFormed` is in Node 20, but in no library that our compiler target knows.
  const string = value as string & { isWellFormed(): boolean };
  if (string.includes('\0') || !string.isWellFormed()) {
    refuse(parent, name, 'holds U+0000 or half of a surrogate pair');
  }
  return value;
};

const i64: Convert = (value, parent, name) =>
  typeof value === 'bigint' ? refuse(parent, name, `is ${value}, beyond 2^53`) : value;

const double: Convert = (value, parent, name) =>
  Number.isFinite(value) ? value : refuse(parent, name, `is ${String(value)}`);

const same: Convert = (value) => value;

type Identity = (value: unknown) => string;

/**
 * Gives a text that two values of the type share exactly if they are equal. Records come from one converter,
 * so their members stand in one order; sets inside are sorted.
 */
function identityOf(type: TypeRef, schema: Schema): Identity {
  switch (type.kind) {
    case 'struct': {
      const fields = structOf(schema, type.name).fields.map((field) => ({
        name: field.name,
        identity: identityOf(field.type, schema),
      }));
      return (value) => {
        let text = '{';
        for (const { name, identity } of fields) {
          const member = (value as PlainRecord)[name];
          text += member === undefined ? ',' : `${identity(member)},`;
        }
        return `${text}}`;
      };
    }
    case 'list':
    case 'set': {
      const identity = identityOf(type.element, schema);
      const isSet = type.kind === 'set';
      return (value) => {
        const parts = (value as readonly unknown[]).map(identity);
        return `[${(isSet ? parts.sort() : parts).join()}]`;
      };
    }
    case 'map':
      return (value) => {
        const entries = Object.entries(value as PlainRecord);
        return JSON.stringify(entries.sort(([a], [b]) => (a < b ? -1 : 1)));
      };
    case 'string':
      return JSON.stringify;
    default:
      return String;
  }
}

class Converters implements ToCore {
  private readonly structs = new Map<string, Convert>();

  constructor(private readonly schema: Schema) {}

  struct(name: string, value: unknown): PlainRecord | undefined {
    return this.structConverter(name)(value, undefined, name) as PlainRecord | undefined;
  }

  args(method: MethodSchema): ArgumentsToCore {
    const args = method.args.map(({ name, type }) => ({ name, convert: this.of(type) }));
    return (values) => {
      const record: Record<string, unknown> = {};
      for (let i = 0; i < args.length; i++) {
        const { name, convert } = args[i]!;
        const raw = values[i];
        const value = raw === null || raw === undefined ? undefined : convert(raw, undefined, name);
        if (value !== undefined) record[name] = value;
      }
      return record;
    };
  }

  private of(type: TypeRef): Convert {
    switch (type.kind) {
      case 'bool':
      case 'i32':
        return same;
      case 'i64':
        return i64;
      case 'double':
        return double;
      case 'string':
        return text;
      case 'enum': {
        const { byNumber } = enumOf(this.schema, type.name);
        return (value) => byNumber.get(value as number);
      }
      case 'struct':
        return this.structConverter(type.name);
      case 'list':
        return this.items(type.element, false);
      case 'set':
        return this.items(type.element, true);
      case 'map':
        return this.map(this.of(type.value));
    }
  }

  private items(type: TypeRef, isSet: boolean): Convert {
    const convert = this.element(type);
    // Strings, numbers and names of enum members are their own identity; there are no sets of collections.
    const identity: (value: unknown) => unknown =
      type.kind === 'struct' ? identityOf(type, this.schema) : (item) => item;
    return (value, parent, name) => {
      const here = { parent, name };
      const source = value as readonly unknown[];
      const items: unknown[] = [];
      const seen = isSet && source.length > 1 ? new Set<unknown>() : undefined;
      for (let index = 0; index < source.length; index++) {
        const item = convert(source[index], here, index);
        if (seen !== undefined) {
          const known = seen.size;
          if (seen.add(identity(item)).size === known) continue;
        }
        items.push(item);
      }
      return items;
    };
  }

  /**
   * An element never disappears: a filter of nothing but values we do not know must match nothing, and
   * an empty one would match everything (rpc.md §2). So an unknown member of an enum becomes a text that
   * equals no name, and an empty key a record without members.
   */
  private element(type: TypeRef): Convert {
    if (type.kind === 'enum') {
      const { byNumber } = enumOf(this.schema, type.name);
      return (value) => byNumber.get(value as number) ?? `#${value as number}`;
    }
    const convert = this.of(type);
    return (value, parent, name) => convert(value, parent, name) ?? {};
  }

  private map(convert: Convert): Convert {
    return (value, parent, name) => {
      const here = { parent, name };
      // Without a prototype, so that no key means anything but itself.
      const record = Object.create(null) as Record<string, unknown>;
      for (const [key, raw] of Object.entries(value as PlainRecord)) {
        text(key, here, 'key');
        record[key] = convert(raw, here, key);
      }
      return record;
    };
  }

  private structConverter(name: string): Convert {
    const known = this.structs.get(name);
    if (known !== undefined) return known;
    const convert = this.newStructConverter(name, structOf(this.schema, name).fields);
    this.structs.set(name, convert);
    return convert;
  }

  private newStructConverter(struct: string, schemas: readonly FieldSchema[]): Convert {
    const mayBeMissing = emptyIsMissing(struct);
    const fields = schemas.map((field) => ({
      name: field.name,
      convert: this.of(field.type),
      unset: unsetValue(this.schema, struct, field),
    }));
    return (value, parent, name) => {
      const source = value as PlainRecord;
      const here = { parent, name };
      const record: Record<string, unknown> = {};
      let isEmpty = true;
      for (const field of fields) {
        const raw = source[field.name];
        let member = field.unset;
        if (raw !== null && raw !== undefined) {
          isEmpty = false;
          member = field.convert(raw, here, field.name);
        }
        if (member !== undefined) record[field.name] = member;
      }
      return isEmpty && mayBeMissing ? undefined : record;
    };
  }
}

export function createToCore(schema: Schema): ToCore {
  return new Converters(schema);
}
