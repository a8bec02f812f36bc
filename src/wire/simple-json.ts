/**
 * Thrift's "simple JSON": a struct as an object under its field names, as Thrift's TSimpleJSONProtocol
 * writes it (tasks.md §9.2). Bools are 1 and 0, enums numbers, sets arrays. It cannot be read back without the IDL
 * and is only ever sent, to people's own services.
 */
import { unsetValue, type PlainRecord } from './presence.js';
import { enumOf, structOf, type Schema, type TypeRef } from './schema.js';

/**
 * @param struct name of a struct of the IDL
 * @param record its members under their field names; fields go out in ascending order of their ids
 * @returns what JSON.stringify makes the text of
 * @throws TypeError for a record that does not fit the struct: a mistake of ours
 */
export function simpleJson(
  schema: Schema,
  struct: string,
  record: PlainRecord,
): Record<string, unknown> {
  // A null prototype, so that a field is a field whatever its name.
  const json = Object.create(null) as Record<string, unknown>;
  for (const field of structOf(schema, struct).fields) {
    const member = record[field.name] ?? unsetValue(schema, struct, field);
    if (member !== undefined) json[field.name] = simpleValue(schema, field.type, member);
  }
  return json;
}

function simpleValue(schema: Schema, type: TypeRef, value: unknown): unknown {
  switch (type.kind) {
    case 'bool':
      return value === true ? 1 : 0;
    case 'i32':
    case 'i64':
    case 'double':
    case 'string':
      return value;
    case 'enum': {
      const number = enumOf(schema, type.name).byName.get(value as string);
      if (number === undefined) throw new TypeError(`${String(value)} is no ${type.name}`);
      return number;
    }
    case 'struct':
      return simpleJson(schema, type.name, value as PlainRecord);
    case 'list':
    case 'set':
      return (value as readonly unknown[]).map((item) => simpleValue(schema, type.element, item));
    case 'map':
      return simpleMap(schema, type.value, value as PlainRecord);
  }
}

/** Keys of JSON objects are text, whatever the key type of the map. */
function simpleMap(schema: Schema, type: TypeRef, map: PlainRecord): Record<string, unknown> {
  const json = Object.create(null) as Record<string, unknown>;
  for (const [key, item] of Object.entries(map)) json[key] = simpleValue(schema, type, item);
  return json;
}
