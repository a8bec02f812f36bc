/**
 * What the stubs that Thrift makes for Go do to a record on its way through: fields of the default
 * requiredness are plain values there, so unset ones come back as zero, as "" or as a struct without fields
 * (wire.md §5); a union in such a field must be set, since an empty one cannot be written, and what differs
 * only in unset fields is one and the same.
 */
import { enumOf, structOf, type FieldSchema, type Schema, type TypeRef } from '../../../src/wire/schema.js';
import type { PlainRecord } from '../../wire/random-records.js';

/** False if the Go stubs would refuse to write the record: it lacks a union, or a set has equal elements. */
export function goHolds(schema: Schema, name: string, record: PlainRecord): boolean {
  const { kind, fields } = structOf(schema, name);
  return fields.every(({ name: field, type, requiredness }) => {
    const value = record[field];
    if (value === undefined) {
      const isWritten = kind === 'struct' && requiredness === 'default' && type.kind === 'struct';
      return !isWritten || structOf(schema, type.name).kind === 'struct';
    }
    const structs = structsIn(type, value);
    const areDifferent = type.kind !== 'set' || goDistinct(schema, structs) === structs.length;
    return areDifferent && structs.every(([struct, item]) => goHolds(schema, struct, item));
  });
}

function goDistinct(schema: Schema, structs: readonly [string, PlainRecord][]): number {
  return new Set(structs.map(([name, record]) => JSON.stringify(goWrites(schema, name, record)))).size;
}

function structsIn(type: TypeRef, value: unknown): readonly [string, PlainRecord][] {
  switch (type.kind) {
    case 'struct':
      return [[type.name, value as PlainRecord]];
    case 'list':
    case 'set':
      return (value as readonly unknown[]).flatMap((item) => structsIn(type.element, item));
    case 'map':
      return Object.values(value as PlainRecord).flatMap((item) => structsIn(type.value, item));
    default:
      return [];
  }
}

/** The record as Go writes it, before a reader fills in what is unset. */
export function goWrites(schema: Schema, name: string, record: PlainRecord): PlainRecord {
  const { kind, fields } = structOf(schema, name);
  const written: PlainRecord = {};
  for (const field of fields) {
    const value = record[field.name] ?? (kind === 'union' ? undefined : zero(schema, field));
    if (value !== undefined) written[field.name] = through(schema, field.type, value, record[field.name] === undefined);
  }
  return written;
}

function through(schema: Schema, type: TypeRef, value: unknown, isNil: boolean): unknown {
  switch (type.kind) {
    case 'struct':
      return isNil ? value : goWrites(schema, type.name, value as PlainRecord);
    case 'list':
    case 'set':
      return (value as readonly unknown[]).map((item) => through(schema, type.element, item, false));
    default:
      return value; // The API's maps hold no structs.
  }
}

function zero(schema: Schema, { type, requiredness, defaultValue }: FieldSchema): unknown {
  if (requiredness === 'optional' || defaultValue !== undefined) return undefined;
  switch (type.kind) {
    case 'bool':
      return false;
    case 'string':
      return '';
    case 'enum':
      return enumOf(schema, type.name).byNumber.get(0);
    case 'struct':
    case 'map':
      return {};
    case 'list':
    case 'set':
      return [];
    default:
      return 0;
  }
}
