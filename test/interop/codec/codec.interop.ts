/** Run by run.sh beside this file, which sets the variables. */
import * as ttypes from '#thrift/aurora_types';
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { createFromCore } from '../../../src/wire/from-core.js';
import { auroraSchema } from '../../../src/wire/idl.js';
import type { ProtocolName, ProtocolReader } from '../../../src/wire/protocol.js';
import { BinaryReader, BinaryWriter } from '../../../src/wire/tbinary.js';
import { JsonReader } from '../../../src/wire/tjson.js';
import { JsonWriter } from '../../../src/wire/tjson-writer.js';
import { createToCore } from '../../../src/wire/to-core.js';
import { RandomRecords, type PlainRecord } from '../../wire/random-records.js';
import { goHolds, goWrites } from './go-records.js';

const PROTOCOLS = ['binary', 'json'] as const;
const count = Number(process.env['INTEROP_COUNT'] ?? 1000);

const schema = auroraSchema();
const fromCore = createFromCore(schema);
const toCore = createToCore(schema);

interface Peer {
  readonly library: string;
  readonly command: readonly string[];
  /** Whether its types can hold the record at all. */
  holds(name: string, record: PlainRecord): boolean;
  /** What it writes after it has read that record. */
  writes(name: string, record: PlainRecord): unknown;
}

const PEERS: readonly Peer[] = [
  {
    library: 'Python',
    command: [
      process.env['INTEROP_PYTHON'] ?? 'python3',
      join(__dirname, 'peer.py'),
      process.env['INTEROP_STUBS'] ?? '',
    ],
    holds: () => true,
    writes: (_name, record) => record,
  },
  {
    library: 'Go',
    command: [process.env['INTEROP_GO'] ?? ''],
    holds: (name, record) => goHolds(schema, name, record),
    writes: (name, record) => decode('binary', name, encode('binary', name, goWrites(schema, name, record))),
  },
];

function encode(protocol: ProtocolName, name: string, record: PlainRecord): Buffer {
  const out = protocol === 'binary' ? new BinaryWriter() : new JsonWriter();
  fromCore.writeStruct(out, name, record);
  return out.finish();
}

function decode(protocol: ProtocolName, name: string, bytes: Buffer): unknown {
  const Stub = (ttypes as unknown as Record<string, new () => { read(input: ProtocolReader): void }>)[name]!;
  const stub = new Stub();
  stub.read(protocol === 'binary' ? new BinaryReader(bytes) : new JsonReader(bytes));
  return toCore.struct(name, stub);
}

/** Sets have no order, and Python keeps none: all arrays are compared sorted. */
function unordered(value: unknown): unknown {
  if (Array.isArray(value)) {
    const items = value.map((item) => JSON.stringify(unordered(item)));
    return items.sort();
  }
  if (typeof value !== 'object' || value === null) return value;
  const entries = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1));
  return entries.map(([key, item]) => [key, unordered(item)]);
}

interface Sample {
  readonly name: string;
  readonly record: PlainRecord;
}

function samplesFor({ holds }: Peer): readonly Sample[] {
  const random = new RandomRecords(schema, 1);
  const samples: Sample[] = [];
  while (samples.length < count) {
    const name = random.structName();
    const record = random.record(name);
    if (holds(name, record)) samples.push({ name, record });
  }
  return samples;
}

test.each(PEERS)('random structs mean the same to Apache Thrift for $library, both ways', (peer) => {
  const sent = samplesFor(peer);
  const input = sent.map(({ name, record }) => {
    const bytes = PROTOCOLS.map((p) => [p, encode(p, name, record).toString('base64')]);
    return JSON.stringify({ name, ...Object.fromEntries(bytes) });
  });
  const [program = '', ...args] = peer.command;
  const { status, stdout, stderr } = spawnSync(program, args, {
    input: input.join('\n'),
    maxBuffer: 2 ** 30,
    encoding: 'utf8',
  });
  expect([status, stderr]).toEqual([0, '']);
  const answers = stdout.trim().split('\n').map((line) => JSON.parse(line) as Record<string, string> & { same: boolean });
  expect(answers).toHaveLength(count);
  let agreed = 0;
  for (const [i, { name, record }] of sent.entries()) {
    expect({ i, name, same: answers[i]!.same }).toEqual({ i, name, same: true });
    const wanted = unordered(peer.writes(name, record));
    for (const protocol of PROTOCOLS) {
      const back = decode(protocol, name, Buffer.from(answers[i]![protocol]!, 'base64'));
      expect({ i, name, protocol, back: unordered(back) }).toEqual({ i, name, protocol, back: wanted });
      agreed++;
    }
  }
  process.stdout.write(`interop/codec: ${agreed} of ${2 * count} encodings of ${count} structs agree with ${peer.library}\n`);
});
