/**
 * Outcomes become Response structs, or the reply structs of the extension, which have the same members; and
 * failures become outcomes (wire.md §2.2, §1.4).
 */
import { RefusedError, TransientError, UnknownOutcomeError } from '../core/errors.js';
import type { Outcome, ResponseCode } from '../rpc/outcome.js';
import type { FromCore } from './from-core.js';
import type { PlainRecord } from './presence.js';
import {
  MessageType,
  TType,
  type Encoded,
  type ProtocolName,
  type ProtocolWriter,
} from './protocol.js';
import { Turns } from '../time.js';
import { structOf, type MethodSchema, type Schema } from './schema.js';

/** Types of TApplicationException that we send (wire.md §1.4). */
export const ExceptionType = { UNKNOWN_METHOD: 1, INTERNAL_ERROR: 6, PROTOCOL_ERROR: 7 } as const;

/** What every answer says about the server, whatever the RPC put there (WIRE-013). */
export interface ServerInfo {
  readonly clusterName: string;
  readonly statsUrlPrefix: string;
}

/** An outcome whose details may lack their text: an error that had none (S5). */
export interface Reply {
  readonly code: ResponseCode;
  readonly details: readonly (string | undefined)[];
  readonly result?: PlainRecord;
}

/** Results with a longer list are written in steps. */
const LONG_LIST = 100;

/**
 * The reply for a failed call, or `unknown` when no reply may be given (S14).
 * RefusedError has its own code, TransientError is ERROR_TRANSIENT (S6), anything else ERROR (S5).
 */
export function replyOfError(error: unknown): Reply | 'unknown' {
  if (error instanceof UnknownOutcomeError) return 'unknown';
  const details = [textOf(error)];
  if (error instanceof RefusedError) return { code: error.code, details };
  return { code: error instanceof TransientError ? 'ERROR_TRANSIENT' : 'ERROR', details };
}

/** The error's message; undefined when it has none, or is no error at all. */
export function textOf(error: unknown): string | undefined {
  return error instanceof Error && error.message !== '' ? error.message : undefined;
}

/** The struct that answers every method of Aurora's API. */
const RESPONSE = 'Response';
/** What a reply struct must have, since every answer says it; `result` is a reply's own affair. */
const MEMBERS_OF_A_REPLY = ['responseCode', 'serverInfo', 'details', 'result'] as const;

/**
 * The name of the struct that a method is answered with: Response, or one of the method's own with the same
 * members (thrift/extension.thrift).
 *
 * @throws Error for a method whose return type could not carry an outcome: a mistake in the IDL
 */
export function replyStruct(schema: Schema, method: MethodSchema): string {
  const { name, returns } = method;
  if (returns.kind !== 'struct') throw new Error(`${name} does not return a struct`);
  const { fields } = structOf(schema, returns.name);
  const missing = MEMBERS_OF_A_REPLY.find((member) => !fields.some((f) => f.name === member));
  if (missing !== undefined) throw new Error(`${returns.name} has no field ${missing}`);
  return returns.name;
}

function responseRecord(reply: Reply, serverInfo: ServerInfo): PlainRecord {
  return {
    responseCode: reply.code,
    result: reply.result,
    serverInfo,
    details: reply.details.map((message) => ({ message })),
  };
}

const isLongList = (value: unknown): boolean => Array.isArray(value) && value.length > LONG_LIST;

/** Lists are members of the union's one member in a Response, of the result itself in other replies. */
function isLong(result: PlainRecord | undefined): boolean {
  for (const name in result) {
    const member = result[name];
    if (isLongList(member)) return true;
    if (typeof member !== 'object' || Array.isArray(member)) continue;
    for (const list in member) if (isLongList((member as PlainRecord)[list])) return true;
  }
  return false;
}

/**
 * Writes the REPLY message whole; nothing of it may be sent if this throws EncodeError or RangeError.
 * Long results are written with pauses, and the promise resolves when all is written; short ones are
 * written before this returns, and it returns undefined.
 *
 * @param struct the method's `replyStruct`
 */
export function writeReply(
  out: ProtocolWriter,
  fromCore: FromCore,
  call: { readonly name: string; readonly seqid: number },
  reply: Outcome | Reply,
  serverInfo: ServerInfo,
  struct = RESPONSE,
): Promise<void> | undefined {
  out.writeMessageBegin(call.name, MessageType.REPLY, call.seqid);
  out.writeStructBegin('result');
  out.writeFieldBegin('success', TType.STRUCT, 0);
  if (Object.isFrozen(reply)) {
    out.writeEncodedStruct(fixedReply(out, fromCore, reply, serverInfo, struct));
    endReply(out);
    return undefined;
  }
  const record = responseRecord(reply, serverInfo);
  if (isLong(reply.result)) {
    return inSteps(fromCore.writeInSteps(out, struct, record)).then(() => endReply(out));
  }
  fromCore.writeStruct(out, struct, record);
  endReply(out);
  return undefined;
}

/** Encodings of outcomes that are the same object each time (`fixed`), by the server they name. */
const fixedReplies = new WeakMap<
  ServerInfo,
  WeakMap<object, Partial<Record<ProtocolName, Encoded>>>
>();

function fixedReply(
  out: ProtocolWriter,
  fromCore: FromCore,
  reply: Outcome | Reply,
  serverInfo: ServerInfo,
  struct: string,
): Encoded {
  let ofServer = fixedReplies.get(serverInfo);
  if (ofServer === undefined) fixedReplies.set(serverInfo, (ofServer = new WeakMap()));
  let ofReply = ofServer.get(reply);
  if (ofReply === undefined) ofServer.set(reply, (ofReply = {}));
  let encoded = ofReply[out.protocol];
  if (encoded === undefined) {
    const fork = out.fork();
    fromCore.writeStruct(fork, struct, responseRecord(reply, serverInfo));
    ofReply[out.protocol] = encoded = fork.encoded();
  }
  return encoded;
}

function endReply(out: ProtocolWriter): void {
  out.writeFieldEnd();
  out.writeFieldStop();
  out.writeStructEnd();
  out.writeMessageEnd();
}

async function inSteps(steps: Generator<void, void>): Promise<void> {
  const turns = new Turns();
  while (steps.next().done !== true) if (turns.isDue()) await turns.pause();
}

/** Writes an EXCEPTION message: the struct by hand, since the library's never carries its type. */
export function writeException(
  out: ProtocolWriter,
  call: { readonly name: string; readonly seqid: number },
  type: number,
  message: string,
): void {
  out.writeMessageBegin(call.name, MessageType.EXCEPTION, call.seqid);
  out.writeStructBegin('TApplicationException');
  out.writeFieldBegin('message', TType.STRING, 1);
  out.writeString(message);
  out.writeFieldEnd();
  out.writeFieldBegin('type', TType.I32, 2);
  out.writeI32(type);
  out.writeFieldEnd();
  out.writeFieldStop();
  out.writeStructEnd();
  out.writeMessageEnd();
}
