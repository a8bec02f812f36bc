/** Random records through both protocols, by our own codec and by the thrift package's. */
import * as ttypes from '#thrift/aurora_types';
import * as thrift from 'thrift';
import { createFromCore } from '../../src/wire/from-core.js';
import { auroraSchema } from '../../src/wire/idl.js';
import {
  ProtocolError,
  type ProtocolReader,
  type ProtocolWriter,
} from '../../src/wire/protocol.js';
import { BinaryReader, BinaryWriter } from '../../src/wire/tbinary.js';
import { JsonReader } from '../../src/wire/tjson.js';
import { JsonWriter } from '../../src/wire/tjson-writer.js';
import { createToCore } from '../../src/wire/to-core.js';
import { RandomRecords } from './random-records.js';

interface Stub {
  read(input: unknown): void;
  write(output: unknown): void;
}

const schema = auroraSchema();
const fromCore = createFromCore(schema);
const toCore = createToCore(schema);
const stubs = ttypes as unknown as Record<string, new () => Stub>;
const COUNT = 1000;

interface Codec {
  readonly reader: (bytes: Buffer) => ProtocolReader;
  readonly writer: () => ProtocolWriter;
  readonly library: new (transport: thrift.TTransport) => object;
}

const codecs: Readonly<Record<string, Codec>> = {
  binary: {
    reader: (bytes) => new BinaryReader(bytes),
    writer: () => new BinaryWriter(),
    library: thrift.TBinaryProtocol as unknown as Codec['library'],
  },
  json: {
    reader: (bytes) => new JsonReader(bytes),
    writer: () => new JsonWriter(),
    library: thrift.TJSONProtocol as unknown as Codec['library'],
  },
};

function read(name: string, input: unknown): Stub {
  const stub = new stubs[name]!();
  stub.read(input);
  return stub;
}

function ours(codec: Codec, write: (out: ProtocolWriter) => void): Buffer {
  const out = codec.writer();
  write(out);
  return out.finish();
}

/** What the thrift package makes of our bytes, as its own bytes. */
function throughLibrary(codec: Codec, name: string, bytes: Buffer): Buffer {
  let written: Buffer = Buffer.alloc(0);
  const output = new thrift.TBufferedTransport(undefined, (data) => {
    written = data!;
  });
  let stub: Stub | undefined;
  // Its TJSON reader wants a message around the struct, so both get one.
  const message = ours(codec, (out) => {
    out.writeMessageBegin('m', 1, 0);
    out.writeEncodedStruct(out.protocol === 'json' ? bytes.toString() : bytes);
    out.writeMessageEnd();
  });
  const readMessage = thrift.TBufferedTransport.receiver((transport) => {
    const input = new codec.library(transport) as thrift.TProtocol;
    input.readMessageBegin();
    stub = read(name, input);
  }, 0);
  readMessage(message);
  const protocol = new codec.library(output) as thrift.TProtocol;
  protocol.writeMessageBegin('m', 1, 0);
  stub!.write(protocol);
  protocol.writeMessageEnd();
  protocol.flush();
  return written;
}

describe.each(Object.entries(codecs))('%s', (_, codec) => {
  test(`${COUNT} random structs come back as they went, through records and through stubs`, () => {
    const random = new RandomRecords(schema, 20_261_125);
    const names = new Set<string>();
    for (let i = 0; i < COUNT; i++) {
      const name = random.structName();
      names.add(name);
      const record = random.record(name);
      const bytes = ours(codec, (out) => fromCore.writeStruct(out, name, record));
      const stub = read(name, codec.reader(bytes));
      expect({ i, name, back: toCore.struct(name, stub) }).toEqual({ i, name, back: record });
      const again = ours(codec, (out) => stub.write(out));
      expect(toCore.struct(name, read(name, codec.reader(again)))).toEqual(record);
      const skipped = codec.reader(bytes);
      skipped.skip(12);
      // Nothing is left: whatever comes next is beyond the end.
      expect(() => skipped.readString()).toThrow(ProtocolError);
    }
    expect(names.size).toBe(schema.structs.size);
  });

  test(`${COUNT} random structs are understood by the thrift package, and its bytes by us`, () => {
    const random = new RandomRecords(schema, 42);
    for (let i = 0; i < COUNT; i++) {
      const name = random.structName();
      const record = random.record(name);
      const bytes = ours(codec, (out) => fromCore.writeStruct(out, name, record));
      const input = codec.reader(throughLibrary(codec, name, bytes));
      input.readMessageBegin();
      expect({ i, name, back: toCore.struct(name, read(name, input)) }).toEqual({
        i,
        name,
        back: record,
      });
      input.readMessageEnd();
    }
  });
});
