/**
 * Plain records go out as Thrift structs, driven by the schema like the way in. They are written straight
 * to the protocol: the generated result classes would copy each of ten thousand tasks first (design §4).
 * What is present follows `presence.ts` (wire.md §4); fields go out in ascending order of their ids.
 */
import { TType, type Pieces, type ProtocolName, type ProtocolWriter } from './protocol.js';
import { unsetValue, type PlainRecord } from './presence.js';
import { enumOf, structOf, type Schema, type TypeRef } from './schema.js';

type Write = (out: ProtocolWriter, value: unknown) => void;

/**
 * Structs whose encoding is kept with the record, from which writing of it on: thousands of tasks share a
 * config, all answers the server's name, and a task is the same record until it changes
 * (`store/task-pages.ts`). What most records of a kind are written once for is kept at the second time.
 * Records are immutable, and the encoding dies with them.
 */
const KEPT: ReadonlyMap<string, 1 | 2> = new Map([
  ['TaskConfig', 2],
  ['ServerInfo', 2],
  ['ScheduledTask', 1],
]);

/** A record that does not fit the IDL: a mistake of ours, which the client sees as ERROR (wire.md S5). */
export class EncodeError extends Error {
  override readonly name = 'EncodeError';
}

export interface FromCore {
  /** @throws EncodeError for a record that does not fit the struct. */
  writeStruct(out: ProtocolWriter, name: string, record: PlainRecord): void;
  /**
   * The same, with a pause offered after each element of the struct's lists and sets and of those of the
   * structs in it: ten thousand tasks must not keep heartbeats waiting.
   */
  writeInSteps(out: ProtocolWriter, name: string, record: PlainRecord): Generator<void, void>;
}

/** The number that stands for the type on the wire. */
export function wireType(type: TypeRef): number {
  switch (type.kind) {
    case 'bool':
      return TType.BOOL;
    case 'i32':
    case 'enum':
      return TType.I32;
    case 'i64':
      return TType.I64;
    case 'double':
      return TType.DOUBLE;
    case 'string':
      return TType.STRING;
    case 'struct':
      return TType.STRUCT;
    case 'list':
      return TType.LIST;
    case 'set':
      return TType.SET;
    case 'map':
      return TType.MAP;
  }
}

function expected(what: string, value: unknown): never {
  throw new EncodeError(`${what} expected, not ${typeof value} ${String(value)}`);
}

function writeBool(out: ProtocolWriter, value: unknown): void {
  out.writeBool(typeof value === 'boolean' ? value : expected('bool', value));
}

function writeI32(out: ProtocolWriter, value: unknown): void {
  out.writeI32(typeof value === 'number' && value === (value | 0) ? value : expected('i32', value));
}

function writeI64(out: ProtocolWriter, value: unknown): void {
  out.writeI64(Number.isSafeInteger(value) ? (value as number) : expected('i64', value));
}

function writeDouble(out: ProtocolWriter, value: unknown): void {
  out.writeDouble(typeof value === 'number' ? value : expected('double', value));
}

function writeString(out: ProtocolWriter, value: unknown): void {
  out.writeString(typeof value === 'string' ? value : expected('string', value));
}

type Collection = TypeRef & { readonly kind: 'list' | 'set' };

function beginItems(out: ProtocolWriter, type: Collection, size: number): void {
  if (type.kind === 'set') out.writeSetBegin(wireType(type.element), size);
  else out.writeListBegin(wireType(type.element), size);
}

function endItems(out: ProtocolWriter, type: Collection): void {
  if (type.kind === 'set') out.writeSetEnd();
  else out.writeListEnd();
}

interface FieldWriter {
  readonly id: number;
  readonly name: string;
  readonly type: TypeRef;
  readonly wire: number;
  readonly write: Write;
  readonly unset: unknown;
}

/** Looks at the record's members, not at the union's: Result has twenty, of which an answer has one. */
function onlyMember(
  union: string,
  fields: readonly FieldWriter[],
  record: PlainRecord,
): FieldWriter {
  let only: FieldWriter | undefined;
  for (const name in record) {
    if (record[name] == null) continue;
    const field = fields.find((candidate) => candidate.name === name);
    if (field === undefined || only !== undefined) {
      throw new EncodeError(`${union} must have one member, not ${Object.keys(record).join()}`);
    }
    only = field;
  }
  return only ?? expected(`a member of ${union}`, undefined);
}

class Writers implements FromCore {
  private readonly structs = new Map<string, Write>();

  constructor(private readonly schema: Schema) {}

  writeStruct(out: ProtocolWriter, name: string, record: PlainRecord): void {
    this.structWriter(name)(out, record);
  }

  *writeInSteps(out: ProtocolWriter, name: string, record: PlainRecord): Generator<void, void> {
    const fields = this.fieldsOf(name);
    const isUnion = structOf(this.schema, name).kind === 'union';
    out.writeStructBegin(name);
    for (const field of isUnion ? [onlyMember(name, fields, record)] : fields) {
      const member = record[field.name] ?? field.unset;
      if (member === undefined) continue;
      const { type } = field;
      out.writeFieldBegin(field.name, field.wire, field.id);
      if (type.kind === 'struct') yield* this.writeInSteps(out, type.name, member as PlainRecord);
      else if ((type.kind === 'list' || type.kind === 'set') && Array.isArray(member)) {
        beginItems(out, type, member.length);
        const write = this.writerOf(type.element);
        for (const item of member) {
          write(out, item);
          yield;
        }
        endItems(out, type);
      } else field.write(out, member);
      out.writeFieldEnd();
    }
    out.writeFieldStop();
    out.writeStructEnd();
  }

  private writerOf(type: TypeRef): Write {
    switch (type.kind) {
      case 'bool':
        return writeBool;
      case 'i32':
        return writeI32;
      case 'i64':
        return writeI64;
      case 'double':
        return writeDouble;
      case 'string':
        return writeString;
      case 'enum': {
        const { name, byName } = enumOf(this.schema, type.name);
        return (out, value) => out.writeI32(byName.get(value as string) ?? expected(name, value));
      }
      case 'struct':
        return this.structWriter(type.name);
      case 'list':
      case 'set':
        return this.collectionWriter(type);
      case 'map':
        return this.mapWriter(type.key, type.value);
    }
  }

  private collectionWriter(type: Collection): Write {
    const write = this.writerOf(type.element);
    return (out, value) => {
      if (!Array.isArray(value)) expected(type.kind, value);
      const items = value as readonly unknown[];
      beginItems(out, type, items.length);
      for (const item of items) write(out, item);
      endItems(out, type);
    };
  }

  private mapWriter(keyType: TypeRef, valueType: TypeRef): Write {
    if (keyType.kind !== 'string') throw new EncodeError('only maps with string keys are written');
    const write = this.writerOf(valueType);
    return (out, value) => {
      if (typeof value !== 'object' || value === null) expected('map', value);
      const entries = Object.entries(value as PlainRecord);
      out.writeMapBegin(TType.STRING, wireType(valueType), entries.length);
      for (const [key, item] of entries) {
        out.writeString(key);
        write(out, item);
      }
      out.writeMapEnd();
    };
  }

  private structWriter(name: string): Write {
    const known = this.structs.get(name);
    if (known !== undefined) return known;
    const isUnion = structOf(this.schema, name).kind === 'union';
    const plain = isUnion ? this.newUnionWriter(name) : this.newStructWriter(name);
    const keptFrom = KEPT.get(name);
    const write = keptFrom === undefined ? plain : keeping(plain, keptFrom);
    this.structs.set(name, write);
    return write;
  }

  private fieldsOf(struct: string): readonly FieldWriter[] {
    return structOf(this.schema, struct).fields.map((field) => ({
      id: field.id,
      name: field.name,
      type: field.type,
      wire: wireType(field.type),
      write: this.writerOf(field.type),
      unset: unsetValue(this.schema, struct, field),
    }));
  }

  private newStructWriter(struct: string): Write {
    const fields = this.fieldsOf(struct);
    return (out, value) => {
      if (typeof value !== 'object' || value === null) expected(struct, value);
      const record = value as PlainRecord;
      out.writeStructBegin(struct);
      for (const field of fields) {
        const member = record[field.name] ?? field.unset;
        if (member === undefined) continue;
        out.writeFieldBegin(field.name, field.wire, field.id);
        field.write(out, member);
        out.writeFieldEnd();
      }
      out.writeFieldStop();
      out.writeStructEnd();
    };
  }

  private newUnionWriter(union: string): Write {
    const fields = this.fieldsOf(union);
    return (out, value) => {
      if (typeof value !== 'object' || value === null) expected(union, value);
      const record = value as PlainRecord;
      const { name, wire, id, write } = onlyMember(union, fields, record);
      out.writeStructBegin(union);
      out.writeFieldBegin(name, wire, id);
      write(out, record[name]);
      out.writeFieldEnd();
      out.writeFieldStop();
      out.writeStructEnd();
    };
  }
}

/**
 * Keeps what a record was encoded as. Below a record that is kept others are kept at once, so that all of
 * them share one text.
 */
function keeping(write: Write, from: 1 | 2): Write {
  const SEEN_ONCE = null;
  const kept: Record<ProtocolName, WeakMap<object, Pieces | typeof SEEN_ONCE>> = {
    binary: new WeakMap(),
    json: new WeakMap(),
  };
  return (out, value) => {
    if (typeof value !== 'object' || value === null) return write(out, value);
    const ofProtocol = kept[out.protocol];
    let pieces = ofProtocol.get(value);
    if (pieces === undefined && from === 2 && !out.isKept) {
      ofProtocol.set(value, SEEN_ONCE);
      return write(out, value);
    }
    if (pieces === undefined || pieces === SEEN_ONCE) {
      const fork = out.forkForKeeping();
      write(fork, value);
      pieces = fork.pieces();
      ofProtocol.set(value, pieces);
    }
    out.writePieces(pieces);
  };
}

export function createFromCore(schema: Schema): FromCore {
  return new Writers(schema);
}
