/** Encodings that are kept and spliced are the bytes that plain writing makes, in both protocols. */
import { createFromCore } from '../../src/wire/from-core.js';
import { auroraSchema } from '../../src/wire/idl.js';
import type { ProtocolWriter } from '../../src/wire/protocol.js';
import type { Schema, StructSchema, TypeRef } from '../../src/wire/schema.js';
import { BinaryWriter } from '../../src/wire/tbinary.js';
import { JsonWriter } from '../../src/wire/tjson-writer.js';
import type { PlainRecord } from './random-records.js';
import { RandomRecords } from './random-records.js';

const schema = auroraSchema();
/** What is kept goes by the names of structs; under other names nothing is. */
const RENAMED = new Map(
  ['ScheduledTask', 'AssignedTask', 'TaskConfig', 'ScheduleStatusResult'].map((name) => [
    name,
    `Plain${name}`,
  ]),
);

function renamed(type: TypeRef): TypeRef {
  switch (type.kind) {
    case 'struct':
      return { ...type, name: RENAMED.get(type.name) ?? type.name };
    case 'list':
    case 'set':
      return { ...type, element: renamed(type.element) };
    case 'map':
      return { ...type, key: renamed(type.key), value: renamed(type.value) };
    default:
      return type;
  }
}

function plainSchema(): Schema {
  const structs = new Map(schema.structs);
  for (const [name, plain] of RENAMED) {
    const { kind, fields } = schema.structs.get(name)!;
    const copies = fields.map((field) => ({ ...field, type: renamed(field.type) }));
    structs.set(plain, { name: plain, kind, fields: copies } satisfies StructSchema);
  }
  return { ...schema, structs };
}

const keeping = createFromCore(schema);
const plain = createFromCore(plainSchema());

const WRITERS: Readonly<Record<string, () => ProtocolWriter>> = {
  TBinary: () => new BinaryWriter(),
  TJSON: () => new JsonWriter(),
};

/** Tasks of which many have one config, as those of a job do. */
function tasksOf(random: RandomRecords, count: number): PlainRecord[] {
  const configs = Array.from({ length: 5 }, () => random.record('TaskConfig'));
  return Array.from({ length: count }, (_, index) => {
    const task = random.record('ScheduledTask');
    const assigned = { ...random.record('AssignedTask'), task: configs[index % configs.length] };
    return { ...task, assignedTask: assigned };
  });
}

describe.each(Object.entries(WRITERS))('%s', (_protocol, writer) => {
  test('each struct, written for the first time and again', () => {
    const random = new RandomRecords(schema, 11);
    for (const name of ['ScheduledTask', 'TaskConfig']) {
      for (let n = 0; n < 300; n++) {
        const record = random.record(name);
        const expected = writer();
        plain.writeStruct(expected, RENAMED.get(name)!, record);
        const bytes = expected.finish();
        for (let time = 0; time < 3; time++) {
          const out = writer();
          keeping.writeStruct(out, name, record);
          expect(out.finish().equals(bytes)).toBe(true);
        }
      }
    }
  });

  test('a list of tasks in steps, while other lists of the same tasks are being written', () => {
    const tasks = tasksOf(new RandomRecords(schema, 12), 400);
    const expected = writer();
    plain.writeStruct(expected, 'PlainScheduleStatusResult', { tasks });
    const outs = [writer(), writer(), writer()];
    const writings = outs.map((out) =>
      keeping.writeInSteps(out, 'ScheduleStatusResult', { tasks }),
    );
    for (let left = writings.length; left > 0;) {
      left = writings.filter((writing) => writing.next().done !== true).length;
    }
    for (const out of outs) expect(out.finish().equals(expected.finish())).toBe(true);
  });

  test('a reply of several megabytes: its parts are the whole, none of them long', () => {
    const config = { executorConfig: { name: 'x', data: '\u00e9"'.repeat(3_000) } };
    const tasks = Array.from({ length: 1_000 }, (_, index) => ({
      assignedTask: { taskId: `t${index}`, task: config },
      taskEvents: [{ timestamp: index, message: '\u20ac'.repeat(index) }],
    }));
    const expected = writer();
    plain.writeStruct(expected, 'PlainScheduleStatusResult', { tasks });
    const out = writer();
    keeping.writeStruct(out, 'ScheduleStatusResult', { tasks });
    const parts = out.parts();
    expect(parts.length).toBeGreaterThan(3);
    for (const part of parts) expect(part.length).toBeLessThanOrEqual(1024 * 1024);
    expect(Buffer.concat(parts).equals(expected.finish())).toBe(true);
    expect(out.finish().equals(expected.finish())).toBe(true);
  });

  test('a record that does not fit the IDL is refused each time, and what it holds can be written', () => {
    const config = { priority: 1 };
    const broken = { assignedTask: { task: config, instanceId: 'one' } };
    for (let time = 0; time < 3; time++) {
      expect(() => keeping.writeStruct(writer(), 'ScheduledTask', broken)).toThrow('i32 expected');
    }
    const [out, expected] = [writer(), writer()];
    keeping.writeStruct(out, 'TaskConfig', config);
    plain.writeStruct(expected, 'PlainTaskConfig', config);
    expect(out.finish().equals(expected.finish())).toBe(true);
  });
});

test('tasks of one config share its text, and what is theirs is kept apart from it', () => {
  const config = { executorConfig: { name: 'x', data: 'd'.repeat(2_000) } };
  for (const writer of Object.values(WRITERS)) {
    const pieces = ['a', 'b'].map((taskId) => {
      const out = writer().forkForKeeping();
      keeping.writeStruct(out, 'ScheduledTask', { assignedTask: { taskId, task: config } });
      return out.pieces();
    });
    const long = pieces.map((ofTask) => ofTask.filter((piece) => piece.length > 1_000));
    expect(long.map((ofTask) => ofTask.length)).toEqual([1, 1]);
    expect(long[0]).toEqual(long[1]);
  }
});
