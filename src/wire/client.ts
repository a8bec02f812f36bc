/**
 * A small Thrift client for our own commands (`pulse`, `demo`) and benchmarks: TBinary or TJSON over one
 * kept-alive HTTP connection pool, driven by the schema alone.
 */
import { Agent, request as httpRequest } from 'node:http';
import { createFromCore, type FromCore } from './from-core.js';
import { shimSchema } from './idl.js';
import { BINARY_TYPE, JSON_TYPE } from './media-types.js';
import type { PlainRecord } from './presence.js';
import { MessageType, TType, type ProtocolName, type ProtocolReader } from './protocol.js';
import {
  enumOf,
  methodsOf,
  structOf,
  type MethodSchema,
  type Schema,
  type TypeRef,
} from './schema.js';
import { BinaryReader, BinaryWriter } from './tbinary.js';
import { JsonReader } from './tjson.js';
import { JsonWriter } from './tjson-writer.js';

export interface ClientOptions {
  /** `http://host:port`; `/api` is added. */
  readonly url: string;
  readonly protocol?: ProtocolName;
  readonly timeoutMs?: number;
  readonly connections?: number;
  /** Sent with every call; without it nobody logs in. */
  readonly credentials?: ClientCredentials;
}

/** For HTTP BASIC. */
export interface ClientCredentials {
  /** No colon: the first one ends it. */
  readonly user: string;
  readonly password: string;
}

/** The one member of a Response's result, by its name. */
export type ApiResult = Readonly<Record<string, PlainRecord>>;

/** A reply struct by field names, enums as names: Response, or one of the extension with its own result. */
export interface ApiResponse<Result = ApiResult> {
  readonly responseCode: string;
  readonly details: readonly { readonly message?: string }[];
  readonly result?: Result;
}

/** No Thrift reply came back. */
export class ClientError extends Error {
  override readonly name = 'ClientError';
  /** @param status of the HTTP answer, if there was one that is not 200 */
  constructor(
    message: string,
    readonly status?: number,
  ) {
    super(message);
  }
}

const DEFAULT_TIMEOUT_MS = 10_000;
/** Replies come from a server we chose, and list thousands of tasks. */
const REPLY_VALUES = 50_000_000;

export class AuroraClient {
  private readonly schema: Schema;
  private readonly methods: ReadonlyMap<string, MethodSchema>;
  private readonly fromCore: FromCore;
  private readonly agent: Agent;
  private readonly authorization: { readonly Authorization?: string };
  private seqid = 0;

  constructor(private readonly options: ClientOptions) {
    this.authorization =
      options.credentials === undefined ? {} : { Authorization: basicHeader(options.credentials) };
    this.agent = new Agent({ keepAlive: true, maxSockets: options.connections ?? 4 });
    const schema = shimSchema();
    this.methods = methodsOf(schema, 'AuroraShim');
    this.schema = withArguments(schema, this.methods);
    this.fromCore = createFromCore(this.schema);
  }

  /**
   * Calls a method of the API or of the extension with arguments by name.
   * @throws ClientError when the server cannot be reached or answers with anything but a reply
   */
  async call<Result = ApiResult>(
    method: string,
    args: PlainRecord = {},
  ): Promise<ApiResponse<Result>> {
    const seqid = this.seqid + 1;
    const { reply } = await this.exchange(method, args);
    const { returns } = this.shapeOf(method);
    const reader = this.binary
      ? new BinaryReader(reply, REPLY_VALUES)
      : new JsonReader(reply, REPLY_VALUES);
    const header = reader.readMessageBegin();
    if (header.type === MessageType.EXCEPTION)
      throw new ClientError(`${method} is not known there`);
    if (header.name !== method || header.seqid !== seqid) {
      throw new ClientError(
        `a reply to ${header.name} ${header.seqid} came for ${method} ${seqid}`,
      );
    }
    const result = this.readStruct(reader, new Map([[0, { name: 'success', type: returns }]]));
    if (result['success'] === undefined)
      throw new ClientError(`${method} was answered with nothing`);
    return result['success'] as ApiResponse<Result>;
  }

  /** The same call as bytes: what was sent and what came back. */
  async exchange(
    method: string,
    args: PlainRecord = {},
  ): Promise<{ request: Buffer; reply: Buffer }> {
    const request = this.encode(method, args, ++this.seqid);
    return { request, reply: await this.post(request) };
  }

  close(): void {
    this.agent.destroy();
  }

  private get binary(): boolean {
    return this.options.protocol !== 'json';
  }

  private shapeOf(method: string): MethodSchema {
    const shape = this.methods.get(method);
    if (shape === undefined) throw new ClientError(`the API has no method ${method}`);
    return shape;
  }

  private encode(method: string, args: PlainRecord, seqid: number): Buffer {
    const struct = argumentsOf(this.shapeOf(method).name);
    const out = this.binary ? new BinaryWriter() : new JsonWriter();
    out.writeMessageBegin(method, MessageType.CALL, seqid);
    this.fromCore.writeStruct(out, struct, args);
    out.writeMessageEnd();
    return out.finish();
  }

  private post(body: Buffer): Promise<Buffer> {
    const type = this.binary ? BINARY_TYPE : JSON_TYPE;
    return new Promise((resolve, reject) => {
      const fail = (problem: string, status?: number): void =>
        reject(new ClientError(problem, status));
      const request = httpRequest(
        new URL('/api', this.options.url),
        {
          method: 'POST',
          agent: this.agent,
          timeout: this.options.timeoutMs ?? DEFAULT_TIMEOUT_MS,
          headers: {
            ...{ 'Content-Type': type, Accept: type, 'Content-Length': body.length },
            ...this.authorization,
          },
        },
        (response) => {
          const pieces: Buffer[] = [];
          response.on('data', (piece: Buffer) => pieces.push(piece));
          response.on('error', (error) => fail(error.message));
          response.on('end', () => {
            if (response.statusCode === 200) resolve(Buffer.concat(pieces));
            else fail(problemOf(response.statusCode), response.statusCode);
          });
        },
      );
      request.on('timeout', () => request.destroy(new Error('no answer in time')));
      request.on('error', (error) => fail(error.message));
      request.end(body);
    });
  }

  private readStruct(
    reader: ProtocolReader,
    fields: ReadonlyMap<number, { readonly name: string; readonly type: TypeRef }>,
  ): Record<string, unknown> {
    const record: Record<string, unknown> = {};
    reader.readStructBegin();
    for (;;) {
      const header = reader.readFieldBegin();
      if (header.ftype === TType.STOP) break;
      const field = fields.get(header.fid);
      if (field === undefined) reader.skip(header.ftype);
      else record[field.name] = this.readValue(reader, field.type);
      reader.readFieldEnd();
    }
    reader.readStructEnd();
    return record;
  }

  private readValue(reader: ProtocolReader, type: TypeRef): unknown {
    switch (type.kind) {
      case 'bool':
        return reader.readBool();
      case 'i32':
        return reader.readI32();
      case 'i64':
        return reader.readI64();
      case 'double':
        return reader.readDouble();
      case 'string':
        return reader.readString();
      case 'enum': {
        const number = reader.readI32();
        return enumOf(this.schema, type.name).byNumber.get(number) ?? `#${number}`;
      }
      case 'struct': {
        const { fields } = structOf(this.schema, type.name);
        return this.readStruct(reader, new Map(fields.map((field) => [field.id, field])));
      }
      case 'list':
      case 'set': {
        const { size } = type.kind === 'list' ? reader.readListBegin() : reader.readSetBegin();
        const items = Array.from({ length: size }, () => this.readValue(reader, type.element));
        if (type.kind === 'list') reader.readListEnd();
        else reader.readSetEnd();
        return items;
      }
      case 'map': {
        const { size } = reader.readMapBegin();
        const map = Object.create(null) as Record<string, unknown>;
        for (let index = 0; index < size; index++) {
          const key = String(this.readValue(reader, type.key));
          map[key] = this.readValue(reader, type.value);
        }
        reader.readMapEnd();
        return map;
      }
    }
  }
}

function basicHeader({ user, password }: ClientCredentials): string {
  return `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}`;
}

function problemOf(status: number | undefined): string {
  return status === 401
    ? 'the scheduler wants a user and a password, or does not take these (HTTP 401)'
    : `HTTP ${status}`;
}

const argumentsOf = (method: string): string => `${method}_args`;

/** The schema with a struct for the arguments of each method, as Thrift's compiler would have it. */
function withArguments(schema: Schema, methods: ReadonlyMap<string, MethodSchema>): Schema {
  const structs = new Map(schema.structs);
  for (const [method, { args }] of methods) {
    const name = argumentsOf(method);
    structs.set(name, { name, kind: 'struct', fields: args });
  }
  return { ...schema, structs };
}
