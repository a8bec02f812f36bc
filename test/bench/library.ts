/**
 * The peer of the read benchmark, in a process of its own: reads a reply with the thrift library, then
 * writes the very same reply with it, which is what a server on the library would do.
 */
import { readFileSync } from 'node:fs';
import { TBinaryProtocol, TBufferedTransport, TJSONProtocol } from 'thrift';
import { Response } from '#thrift/aurora_types';
import { MessageType, TType } from '../../src/wire/protocol.js';
import { watch } from './watch.js';

/** What the child answers for each protocol. */
export interface LibraryResult {
  readonly protocol: 'binary' | 'json';
  readonly ms: number;
  readonly cpuMicros: number;
  readonly peakBytes: number;
  /** Of the reply it wrote. */
  readonly bytes: number;
}

const PROTOCOLS = { binary: TBinaryProtocol, json: TJSONProtocol };

/** A TBinary reply's `success`, read by the library. */
function read(bytes: Buffer): Response {
  const transport = new TBufferedTransport();
  Object.assign(transport, { inBuf: bytes, readCursor: 0, writeCursor: bytes.length });
  const input = new TBinaryProtocol(transport);
  input.readMessageBegin();
  input.readStructBegin();
  input.readFieldBegin();
  const response = new Response();
  (response as unknown as { read: (from: unknown) => void }).read(input);
  return response;
}

function encode(
  method: string,
  response: Response,
  protocol: 'binary' | 'json',
  what: 'memory' | 'time',
): LibraryResult {
  let bytes = 0;
  const end = watch(what);
  const began = performance.now();
  const transport = new TBufferedTransport(undefined, (written?: Buffer) => {
    bytes = written?.length ?? 0;
  });
  const out = new PROTOCOLS[protocol](transport);
  out.writeMessageBegin(method, MessageType.REPLY, 1);
  out.writeStructBegin('result');
  out.writeFieldBegin('success', TType.STRUCT, 0);
  (response as unknown as { write: (to: unknown) => void }).write(out);
  out.writeFieldEnd();
  out.writeFieldStop();
  out.writeStructEnd();
  out.writeMessageEnd();
  out.flush();
  const ms = performance.now() - began;
  const { cpuMicros, peakBytes } = end();
  return { protocol, ms, cpuMicros, bytes, peakBytes };
}

const ROUNDS = 3;
const [method = '', file = ''] = process.argv.slice(2);
const response = read(readFileSync(file));
const results = (['binary', 'json'] as const).map((protocol) => {
  const rounds = (what: 'memory' | 'time'): LibraryResult[] =>
    Array.from({ length: ROUNDS }, () => encode(method, response, protocol, what));
  // What it can do at its best: the least memory, the least time.
  const peakBytes = Math.min(...rounds('memory').map((round) => round.peakBytes));
  const [fastest] = rounds('time').sort((a, b) => a.ms - b.ms) as [LibraryResult];
  return { ...fastest, peakBytes };
});
process.send?.(results);
