/**
 * What an unset field stands for (rpc.md §2, wire.md §4 and §5), for both directions.
 *
 * The rule: in everything that is stored, compared or returned, an unset bool or number is false or 0 and
 * an unset list, set or map is empty; unset strings, enums, structs and unions stay unset. A field with a
 * default of its own in the IDL has that (TaskConfig.container only). Members of unions and arguments of
 * methods have no defaults. The exceptions are the two tables below.
 */
import {
  structOf,
  type ConstValue,
  type FieldSchema,
  type Schema,
  type TypeRef,
} from './schema.js';

/** A record in IDL field names. */
export type PlainRecord = Readonly<Record<string, unknown>>;

/**
 * Structs whose unset fields stay unset, because unset means something else than 0 or empty:
 * in queries no filter, in these settings the configured batch size, in a JobSummary no cron job, of the
 * two members of the details result exactly one is answered (wire.md §2.3), not to name hosts is a mistake
 * where to name none of them is not (rpc.md §12), and in the blockers of the extension a time that there is
 * none.
 */
const KEEPS_UNSET: ReadonlySet<string> = new Set([
  'TaskQuery',
  'JobUpdateQuery',
  'ExplicitReconciliationSettings',
  'JobSummary',
  'GetJobUpdateDetailsResult',
  'Hosts',
  ...['JobUpdateBlockersQuery', 'HeartbeatBlocker', 'InstanceWait'],
]);

/** Structs that gorealis sends with no field at all where it has none to send (wire.md §5). */
const EMPTY_IS_MISSING: ReadonlySet<string> = new Set(['JobKey', 'Identity', 'JobUpdateKey']);

const EMPTY_LIST: readonly unknown[] = Object.freeze([]);
const EMPTY_MAP: PlainRecord = Object.freeze(Object.create(null) as Record<string, unknown>);

export function emptyIsMissing(struct: string): boolean {
  return EMPTY_IS_MISSING.has(struct);
}

function zeroOf(type: TypeRef): unknown {
  switch (type.kind) {
    case 'bool':
      return false;
    case 'i32':
    case 'i64':
    case 'double':
      return 0;
    case 'list':
    case 'set':
      return EMPTY_LIST;
    case 'map':
      return EMPTY_MAP;
    default:
      return undefined;
  }
}

/** A default of the IDL as a record, with the defaults of its own fields filled in; frozen. */
function recordOf(schema: Schema, type: TypeRef, value: ConstValue): unknown {
  if (type.kind !== 'struct') return value;
  const members = value as { readonly [name: string]: ConstValue };
  const record: Record<string, unknown> = {};
  for (const field of structOf(schema, type.name).fields) {
    const member = members[field.name];
    const filled =
      member === undefined
        ? unsetValue(schema, type.name, field)
        : recordOf(schema, field.type, member);
    if (filled !== undefined) record[field.name] = filled;
  }
  return Object.freeze(record);
}

/**
 * What the field of that struct counts as when it is not set, undefined if it stays unset. Collections and
 * records are frozen and shared.
 */
export function unsetValue(schema: Schema, struct: string, field: FieldSchema): unknown {
  if (KEEPS_UNSET.has(struct) || structOf(schema, struct).kind === 'union') return undefined;
  return field.defaultValue === undefined
    ? zeroOf(field.type)
    : recordOf(schema, field.type, field.defaultValue);
}
