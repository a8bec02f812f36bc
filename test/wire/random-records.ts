/** Random records of our IDL, seeded: what `to-core` could have made, so that equality needs no rules. */
import { structOf, type FieldSchema, type Schema, type TypeRef } from '../../src/wire/schema.js';

/** Numbers in [0, 1), the same for the same seed (mulberry32). */
export function seeded(seed: number): () => number {
  let state = seed | 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

export type PlainRecord = Record<string, unknown>;

/** These keep unset what all other structs fill in (src/wire/presence.ts). */
const MAY_LACK = new Set([
  'TaskQuery',
  'JobUpdateQuery',
  'ExplicitReconciliationSettings',
  'JobSummary',
  'GetJobUpdateDetailsResult',
]);
/** Without any field these would count as missing. */
const NEVER_EMPTY = new Set(['JobKey', 'Identity', 'JobUpdateKey']);

const INTS = [0, 1, -1, 2147483647, -2147483648, 255, 256, -129];
const LONGS = [
  ...INTS,
  2 ** 31,
  2 ** 32,
  -(2 ** 32),
  Number.MAX_SAFE_INTEGER,
  Number.MIN_SAFE_INTEGER,
];
const DOUBLES = [0, 1, -1, 0.1, 3.5, 1e21, -1e-7, 5e-324, 1.7976931348623157e308, 1 / 3];
const PIECES = [
  'a',
  'Z9',
  '-',
  '.',
  ' ',
  '"',
  '\\',
  '/',
  '\u00fc',
  '\u20ac',
  '\u{1f600}',
  '\u2028',
  '\u007f',
  'x'.repeat(40),
  '\n',
  '\t',
  '\r',
  '\b',
  '\u0001',
  '\u001b',
];

export class RandomRecords {
  private readonly random: () => number;

  constructor(
    private readonly schema: Schema,
    seed: number,
  ) {
    this.random = seeded(seed);
  }

  /** Names of all structs and unions, each as likely as any other. */
  structName(): string {
    return this.pick([...this.schema.structs.keys()]);
  }

  record(name: string): PlainRecord {
    const { kind, fields } = structOf(this.schema, name);
    if (kind === 'union') {
      const member = this.pick(fields);
      return { [member.name]: this.value(member.type) };
    }
    const record: PlainRecord = {};
    for (const field of fields) {
      if (this.mayLack(name, field) && this.random() < 0.4) continue;
      record[field.name] = this.value(field.type);
    }
    const first = fields[0];
    if (NEVER_EMPTY.has(name) && Object.keys(record).length === 0 && first !== undefined) {
      record[first.name] = this.value(first.type);
    }
    return record;
  }

  private mayLack(struct: string, { type, defaultValue }: FieldSchema): boolean {
    if (MAY_LACK.has(struct)) return true;
    return defaultValue === undefined && ['string', 'enum', 'struct'].includes(type.kind);
  }

  private value(type: TypeRef): unknown {
    switch (type.kind) {
      case 'bool':
        return this.random() < 0.5;
      case 'i32':
        return this.random() < 0.3 ? this.pick(INTS) : Math.floor((this.random() - 0.5) * 2 ** 32);
      case 'i64':
        return this.random() < 0.3 ? this.pick(LONGS) : Math.floor((this.random() - 0.5) * 2 ** 53);
      case 'double':
        return this.random() < 0.3
          ? this.pick(DOUBLES)
          : (this.random() - 0.5) * 10 ** this.int(20);
      case 'string':
        return this.text();
      case 'enum': {
        const { byName } = this.schema.enums.get(type.name)!;
        return this.pick([...byName.keys()]);
      }
      case 'struct':
        return this.record(type.name);
      case 'list':
        return this.items(type.element);
      case 'set': {
        const items = this.items(type.element);
        return [...new Map(items.map((item) => [identity(item), item])).values()];
      }
      case 'map': {
        const map = Object.create(null) as PlainRecord;
        for (let i = this.int(4); i > 0; i--) map[`${this.text()}.`] = this.value(type.value);
        return map;
      }
    }
  }

  private items(type: TypeRef): unknown[] {
    return Array.from({ length: this.int(4) }, () => this.value(type));
  }

  private text(): string {
    return Array.from({ length: this.int(8) }, () => this.pick(PIECES)).join('');
  }

  private int(below: number): number {
    return Math.floor(this.random() * below);
  }

  private pick<T>(items: readonly T[]): T {
    return items[this.int(items.length)] as T;
  }
}

/** Equal for records that are equal as Thrift values: the order inside sets (all our arrays) does not count. */
function identity(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(identity).sort().join()}]`;
  if (typeof value !== 'object' || value === null) return JSON.stringify(value);
  const entries = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1));
  return `{${entries.map(([key, item]) => `${JSON.stringify(key)}:${identity(item)}`).join()}}`;
}
