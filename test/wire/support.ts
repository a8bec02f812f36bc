/** What the wire tests share: a service over test methods, a real server, bytes built by hand. */
import { createServer, request, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createApiHandler, type ApiHandlerOptions } from '../../src/http/api-handler.js';
import { ok, type Outcome, type RpcArguments, type RpcMethod } from '../../src/rpc/outcome.js';
import { auroraSchema } from '../../src/wire/idl.js';
import type { ProtocolName } from '../../src/wire/protocol.js';
import { methodsOf } from '../../src/wire/schema.js';
import {
  createAuroraService,
  type AuroraService,
  type AuroraServiceOptions,
} from '../../src/wire/service.js';

export const BINARY = 'application/vnd.apache.thrift.binary';
export const JSON_TYPE = 'application/vnd.apache.thrift.json';
export const SERVER_INFO = { clusterName: 'c', statsUrlPrefix: '' };
export const CALLER = { user: 'UNSECURE' };

export interface Call {
  readonly method: string;
  readonly args: RpcArguments;
}

export interface Recorder {
  readonly calls: Call[];
  readonly methods: Readonly<Record<string, RpcMethod>>;
}

/** Every method of the service, noting its arguments and answering plain OK. */
export function recorder(answer: (call: Call) => Outcome = () => ok()): Recorder {
  const calls: Call[] = [];
  const methods: Record<string, RpcMethod> = {};
  for (const method of methodsOf(auroraSchema(), 'AuroraAdmin').keys()) {
    methods[method] = (args) => {
      const call = { method, args };
      calls.push(call);
      return Promise.resolve(answer(call));
    };
  }
  return { calls, methods };
}

export function serviceOf(
  methods: Readonly<Record<string, RpcMethod>>,
  options: Partial<AuroraServiceOptions> = {},
): AuroraService {
  return createAuroraService(methods, { serverInfo: SERVER_INFO, ...options });
}

/** The answer's body, or the status or `close` where there is none. */
export async function answer(
  service: AuroraService,
  body: Buffer | string,
  protocol: ProtocolName,
  reply: ProtocolName = protocol,
): Promise<Buffer | number | 'close'> {
  const result = await service.handle(Buffer.from(body as string), protocol, reply, CALLER);
  if ('close' in result) return 'close';
  return result.status === 200 ? Buffer.concat([result.body].flat()) : result.status;
}

/** The answer to a TJSON message, parsed. */
export async function jsonAnswer(service: AuroraService, body: string): Promise<unknown> {
  const reply = await answer(service, body, 'json');
  return Buffer.isBuffer(reply) ? (JSON.parse(reply.toString()) as unknown) : reply;
}

/** The code, the details and the result of a TJSON reply. */
export function reply(message: unknown): { code: number; details: unknown; result: unknown } {
  const [version, , type, , struct] = message as [number, string, number, number, JsonStruct];
  if (version !== 1 || type !== 2) throw new Error(`no reply: ${JSON.stringify(message)}`);
  const response = (struct['0'] as { rec: JsonStruct }).rec;
  const { '1': code, '3': result, '6': details } = response as Record<string, JsonStruct>;
  return {
    code: code!.i32 as number,
    details: (details!.lst as unknown[]).slice(2),
    result: result?.rec,
  };
}

type JsonStruct = Record<string, unknown>;

export const hex = (text: string): Buffer => Buffer.from(text.replace(/\s/g, ''), 'hex');

export interface Served {
  readonly port: number;
  readonly server: Server;
  [Symbol.asyncDispose](): Promise<void>;
}

/** A real server on a free port of the loopback. */
export async function serve(options: ApiHandlerOptions): Promise<Served> {
  const handler = createApiHandler(options);
  const server = createServer((req, res) => handler(req, res));
  server.on('checkContinue', (req, res) => handler(req, res, true));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    port: (server.address() as AddressInfo).port,
    server,
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

export interface Reply {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly body: Buffer;
}

/** One request; `headers` as a flat list, so that a name may come twice. */
export function send(
  port: number,
  body: Buffer | string,
  headers: readonly string[] = [],
  method = 'POST',
): Promise<Reply> {
  return new Promise((resolve, reject) => {
    const length = ['Host', '127.0.0.1', 'Content-Length', String(Buffer.byteLength(body))];
    const req = request(
      { port, host: '127.0.0.1', path: '/api', method, headers: [...headers, ...length] },
      (res) => {
        const chunks: Buffer[] = [];
        res.on('data', (chunk: Buffer) => chunks.push(chunk));
        res.on('error', reject);
        res.on('end', () =>
          resolve({ status: res.statusCode!, headers: res.headers, body: Buffer.concat(chunks) }),
        );
      },
    );
    req.on('error', reject);
    req.end(body);
  });
}
