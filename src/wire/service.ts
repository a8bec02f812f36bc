/**
 * From the bytes of a call to the bytes of its answer (wire.md §1.4, §2): decodes, dispatches by the
 * service's own table, and maps what comes back. Nothing that happens in here escapes as a rejection.
 */
import * as AuroraAdmin from '#thrift/AuroraAdmin';
import * as AuroraShim from '#thrift/AuroraShim';
import { Thrift } from 'thrift';
import { RefusedError, TransientError } from '../core/errors.js';
import type { Authorization } from '../rpc/authorize.js';
import type { Caller, ResponseCode, RpcMethod } from '../rpc/outcome.js';
import { createFromCore } from './from-core.js';
import type { PlainRecord } from './presence.js';
import { Repeats, splitMessage } from './repeats.js';
import { auroraSchema, shimSchema } from './idl.js';
import {
  ProtocolError,
  TType,
  type MessageHeader,
  type ProtocolName,
  type ProtocolReader,
  type ProtocolWriter,
} from './protocol.js';
import {
  ExceptionType,
  replyOfError,
  replyStruct,
  textOf,
  writeException,
  writeReply,
  type Reply,
  type ServerInfo,
} from './responses.js';
import { methodsOf, type Schema } from './schema.js';
import { argumentReaders, type ArgumentReader, type ProcessorClass } from './stubs.js';
import { BinaryReader, BinaryWriter } from './tbinary.js';
import { JsonReader } from './tjson.js';
import { JsonWriter } from './tjson-writer.js';
import { createToCore, type ArgumentsToCore } from './to-core.js';

/**
 * `close`: the outcome is unknown, so the connection ends without an answer (S14). 500 is S8; 401 is a call
 * that needs a login (S9), of which nothing was run.
 */
export type HandleResult = Answer | { readonly close: true } | { readonly status: 401 };

/** A long body comes in the parts it was written in, because to copy them together would double it. */
type Answer =
  { readonly status: 200; readonly body: Buffer | readonly Buffer[] } | { readonly status: 500 };

/** The part of a logger that is used here. */
export interface WireLog {
  error(fields: object, message: string): void;
}

/** An IDL with its stubs: what is served. */
export interface ServedApi {
  readonly schema: Schema;
  /**
   * The service whose methods, with those of its bases, are answered: each with a Response, or with a struct
   * of its own that has Response's members (`replyStruct`).
   */
  readonly service: string;
  readonly Processor: ProcessorClass;
}

export interface AuroraServiceOptions {
  readonly serverInfo: ServerInfo;
  readonly log?: WireLog;
  /** After each call of a known method whose arguments could be read; `UNKNOWN` is S14. */
  readonly onCall?: (method: string, code: ResponseCode | 'UNKNOWN', nanos: number) => void;
  /** AuroraAdmin of thrift/aurora.thrift unless another is given. */
  readonly api?: ServedApi;
  /** Asked before a method runs; without it everybody may call everything (operations.md §1.1). */
  readonly authorization?: Pick<Authorization, 'needsLogin' | 'refusal'>;
  /** Methods that are called with the same bytes again and again (see repeats.ts). */
  readonly repeated?: readonly string[];
}

export interface AuroraService {
  /**
   * Answers one message. The promise never rejects.
   * @param body all of the request's body; bytes after the message are ignored
   */
  handle(
    body: Buffer,
    requestProtocol: ProtocolName,
    responseProtocol: ProtocolName,
    caller: Caller,
  ): Promise<HandleResult>;
}

interface Method {
  readonly read: ArgumentReader;
  readonly toCore: ArgumentsToCore;
  /** The struct its answers are written as. */
  readonly reply: string;
  readonly run: RpcMethod | undefined;
}

/** A call whose arguments were read; with `refusal` one that is refused for what stands in them. */
interface Call {
  readonly header: MessageHeader;
  readonly method: Method;
  /** As the stub read them, or already converted. */
  readonly values: readonly unknown[];
  readonly args?: PlainRecord;
  readonly started: number;
  readonly refusal: RefusedError | undefined;
}

/** A message that came before. */
interface Repeated {
  readonly name: string;
  readonly type: number;
  readonly method: Method;
  readonly args: PlainRecord;
}

function readerOf(protocol: ProtocolName, body: Buffer): ProtocolReader {
  return protocol === 'binary' ? new BinaryReader(body) : new JsonReader(body);
}

function writerOf(protocol: ProtocolName): ProtocolWriter {
  return protocol === 'binary' ? new BinaryWriter() : new JsonWriter();
}

function auroraAdmin(): ServedApi {
  return { schema: auroraSchema(), service: 'AuroraAdmin', Processor: AuroraAdmin.Processor };
}

/** AuroraAdmin and what we add to it, of thrift/extension.thrift. */
export function auroraShim(): ServedApi {
  return { schema: shimSchema(), service: 'AuroraShim', Processor: AuroraShim.Processor };
}

class ThriftService implements AuroraService {
  private readonly methods: ReadonlyMap<string, Method>;
  private readonly fromCore;
  private readonly repeated: ReadonlySet<string>;
  private readonly repeats = new Repeats<Repeated>();

  constructor(
    methods: Readonly<Record<string, RpcMethod>>,
    private readonly options: AuroraServiceOptions,
  ) {
    const { schema, service, Processor } = options.api ?? auroraAdmin();
    const shapes = methodsOf(schema, service);
    for (const name of Object.keys(methods)) {
      if (!shapes.has(name)) throw new Error(`${service} has no method ${name}`);
    }
    this.repeated = new Set(options.repeated);
    const toCore = createToCore(schema);
    const readers = argumentReaders(Processor, shapes);
    this.fromCore = createFromCore(schema);
    this.methods = new Map(
      [...shapes].map(([name, shape]) => [
        name,
        {
          // Made for the same names just above.
          read: readers.get(name) as ArgumentReader,
          toCore: toCore.args(shape),
          reply: replyStruct(schema, shape),
          run: Object.hasOwn(methods, name) ? methods[name] : undefined,
        },
      ]),
    );
  }

  handle(
    body: Buffer,
    requestProtocol: ProtocolName,
    responseProtocol: ProtocolName,
    caller: Caller,
  ): Promise<HandleResult> {
    const out = writerOf(responseProtocol);
    const call = this.decode(body, requestProtocol, out);
    return 'status' in call ? Promise.resolve(call) : this.run(call, caller, out);
  }

  /** The call, or the answer if the method is not reached: nothing of it was run then. */
  private decode(body: Buffer, protocol: ProtocolName, out: ProtocolWriter): Call | Answer {
    const started = performance.now();
    const split = splitMessage(body, protocol);
    const known = split && this.repeats.get(split.rest);
    if (known !== undefined && split !== undefined) {
      const { name, type, method, args } = known;
      const header = { name, type, seqid: split.seqid };
      return { header, method, values: [], args, started, refusal: undefined };
    }
    let header: MessageHeader | undefined;
    let method: Method | undefined;
    try {
      const input = readerOf(protocol, body);
      header = input.readMessageBegin();
      method = this.methods.get(header.name);
      if (method !== undefined) {
        const values = method.read(input);
        if (split === undefined || !this.repeated.has(header.name)) {
          return { header, method, values, started, refusal: undefined };
        }
        const args = method.toCore(values);
        this.repeats.set(split.rest, { name: header.name, type: header.type, method, args });
        return { header, method, values, args, started, refusal: undefined };
      }
      input.skip(TType.STRUCT);
      input.readMessageEnd();
      return exception(out, header, ExceptionType.UNKNOWN_METHOD, 'unknown method');
    } catch (error) {
      if (header !== undefined && method !== undefined) {
        if (error instanceof RefusedError) {
          return { header, method, values: [], started, refusal: error };
        }
        // After such an error the reference can go on reading in TBinary and not in TJSON (S3, S8).
        if (protocol === 'binary' && isNegativeSize(error)) {
          return exception(out, header, ExceptionType.PROTOCOL_ERROR, error.message);
        }
      }
      if (!(error instanceof ProtocolError)) {
        this.options.log?.error({ err: error }, 'reading a call failed');
      }
      return { status: 500 };
    }
  }

  private async run(call: Call, caller: Caller, out: ProtocolWriter): Promise<HandleResult> {
    const { header, method } = call;
    const { authorization } = this.options;
    if (authorization?.needsLogin(header.name, caller)) return { status: 401 };
    let reply: Reply | 'unknown';
    try {
      if (call.refusal !== undefined) throw call.refusal;
      const args = call.args ?? method.toCore(call.values);
      const refused = authorization?.refusal(header.name, args, caller);
      if (refused !== undefined) reply = refused;
      else if (method.run === undefined) {
        reply = { code: 'ERROR', details: [`${header.name} is not implemented yet`] };
      } else reply = await method.run(args, caller);
    } catch (error) {
      if (error instanceof Thrift.TException) {
        return exception(out, header, ExceptionType.INTERNAL_ERROR, error.message);
      }
      reply = replyOfError(error);
      // The others are answers like any other, and say all there is to say.
      if (!(error instanceof RefusedError || error instanceof TransientError)) {
        this.options.log?.error({ err: error, method: header.name }, 'an RPC failed');
      }
    }
    if (reply === 'unknown') {
      this.called(call, 'UNKNOWN');
      return { close: true };
    }
    const { serverInfo, log } = this.options;
    try {
      const pending = writeReply(out, this.fromCore, header, reply, serverInfo, method.reply);
      if (pending !== undefined) await pending;
      this.called(call, reply.code);
      // Only what was written in steps may be long.
      return { status: 200, body: pending === undefined ? out.finish() : out.parts() };
    } catch (error) {
      // Whatever `out` holds is dropped: an answer is sent whole or not at all.
      log?.error({ err: error, method: header.name }, 'an answer could not be encoded');
      const instead = writerOf(out.protocol);
      const failed: Reply = { code: 'ERROR', details: [textOf(error)] };
      await writeReply(instead, this.fromCore, header, failed, serverInfo, method.reply);
      this.called(call, 'ERROR');
      return { status: 200, body: instead.finish() };
    }
  }

  private called({ header, started }: Call, code: ResponseCode | 'UNKNOWN'): void {
    this.options.onCall?.(header.name, code, (performance.now() - started) * 1e6);
  }
}

function exception(
  out: ProtocolWriter,
  header: MessageHeader,
  type: number,
  message: string,
): Answer {
  writeException(out, header, type, message);
  return { status: 200, body: out.finish() };
}

function isNegativeSize(error: unknown): error is ProtocolError {
  return error instanceof ProtocolError && error.kind === 'negative-size';
}

/**
 * The Thrift service over these methods, named as in the IDL. A method of the IDL that is not among them
 * answers ERROR and says so.
 * @throws Error for a method that the IDL does not have.
 */
export function createAuroraService(
  methods: Readonly<Record<string, RpcMethod>>,
  options: AuroraServiceOptions,
): AuroraService {
  return new ThriftService(methods, options);
}
