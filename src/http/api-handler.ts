/**
 * `/api` on bare node:http (wire.md §1; design §4 says why no framework): POST, GET and HEAD carry a
 * Thrift message, whose body is read up to a limit and answered whole.
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { Readable } from 'node:stream';
import { constants, createGzip, gzip } from 'node:zlib';
import type { Caller } from '../rpc/outcome.js';
import {
  acceptsGzip,
  BINARY_TYPE,
  JSON_TYPE,
  requestEncoding,
  responseProtocol,
  type RequestEncoding,
} from '../wire/media-types.js';
import type { ProtocolName } from '../wire/protocol.js';
import type { AuroraService } from '../wire/service.js';
import type { CountRequest } from './request-counter.js';

/** Default of `-http_max_body_size`. */
export const DEFAULT_MAX_BODY_BYTES = 4 * 1024 * 1024;

export interface ApiHandlerOptions {
  readonly service: AuroraService;
  readonly maxBodyBytes?: number;
  /** The one value of `-enable_cors_for`; unset sends no CORS headers. */
  readonly corsDomain?: string;
  /**
   * Who calls, or the answer to somebody who is turned away (operations.md §1.1); asked before the body is
   * read. Without it everybody is `UNSECURE` (rpc.md §1). A throw ends the connection.
   */
  readonly callerOf?: (request: IncomingMessage) => Login | Promise<Login>;
  /** The answer where the service says that a call needs a login. */
  readonly challenge?: Refusal;
  /** Told of every answer. */
  readonly count?: CountRequest;
}

/**
 * Answers one request. It may be mounted on `request` as it is; mounted on `checkContinue` too, with
 * `awaitsContinue`, it refuses before the client has sent the body instead of after.
 */
export type ApiHandler = (
  request: IncomingMessage,
  response: ServerResponse,
  awaitsContinue?: boolean,
) => void;

/** Somebody whose call goes on, or an answer. */
export type Login = Caller | Refusal;

/** An answer that does not depend on the body; `headers` are names and values in turn. */
export interface Refusal {
  readonly status: number;
  readonly headers: readonly string[];
  readonly text: string;
}

const ANYBODY: Caller = { user: 'UNSECURE' };
/** Below this a reply is sent as it is: compressing a pulse's would cost more than it saves. */
const GZIP_FROM_BYTES = 1024;
/** Of compressed bytes that are handed over at a time. */
const GZIP_CHUNK_BYTES = 64 * 1024;
/** How long a refused client may take to read its answer while we read nothing of its body. */
const LINGER_MS = 1000;
const TEXT = ['Content-Type', 'text/plain; charset=utf-8'] as const;
const NOTHING = Buffer.alloc(0);
const CLOSE = ['Connection', 'close'] as const;
/** What answers are counted under. */
const PATH = '/api';

/** S8. */
const INVALID_BODY: Refusal = {
  status: 500,
  headers: ['Content-Type', 'text/html; charset=utf-8', 'Connection', 'close'],
  text: '<!DOCTYPE html><title>500</title><p>The body is no Thrift message that can be read.</p>',
};

/** S9, where nothing says how to log in. */
const UNAUTHORIZED: Refusal = { status: 401, headers: [], text: '' };

function corsHeaders(domain: string | undefined): readonly string[] {
  if (domain === undefined) return [];
  return [
    'Access-Control-Allow-Origin',
    domain,
    'Access-Control-Allow-Methods',
    'DELETE,GET,HEAD,OPTIONS,POST,PUT',
    'Access-Control-Allow-Headers',
    'Accept,Content-Type,Origin,X-Requested-With',
  ];
}

/** Node joins repeated Accept headers with a comma; only the first one counts. */
function firstAccept(request: IncomingMessage): string | undefined {
  const { accept } = request.headers;
  if (accept === undefined || !accept.includes(',')) return accept;
  const { rawHeaders } = request;
  for (let i = 0; i < rawHeaders.length; i += 2) {
    if (rawHeaders[i]!.toLowerCase() === 'accept') return rawHeaders[i + 1];
  }
  return accept;
}

function methodRefusal(method: string | undefined): Refusal | undefined {
  switch (method) {
    case 'POST':
    case 'GET':
    case 'HEAD':
      return undefined;
    case 'OPTIONS':
      return { status: 200, headers: ['Allow', 'GET, HEAD, POST, TRACE, OPTIONS'], text: '' };
    default: {
      const headers = ['Allow', 'GET, HEAD, POST, OPTIONS', ...TEXT];
      return { status: 405, headers, text: `${method} is not supported\n` };
    }
  }
}

function typeRefusal(encoding: RequestEncoding, header: string | undefined): Refusal | undefined {
  switch (encoding) {
    case 'unsupported':
      return { status: 415, headers: TEXT, text: `Unsupported Content-Type: ${header}\n` };
    case 'malformed':
      return { status: 500, headers: TEXT, text: 'The Content-Type cannot be read\n' };
    default:
      return undefined;
  }
}

/** Writes the parts as fast as the client reads; a client that goes away ends it. */
function sendParts(response: ServerResponse, parts: readonly Buffer[]): void {
  const left = [...parts].reverse();
  const next = (): void => {
    for (let part = left.pop(); part !== undefined; part = left.pop()) {
      if (!response.write(part)) {
        response.once('drain', next);
        return;
      }
    }
    response.end();
  };
  next();
}

/** Off the event loop, as `gzip` is. */
function compress(parts: readonly Buffer[]): Promise<readonly Buffer[]> {
  return new Promise((resolve, reject) => {
    const compressed: Buffer[] = [];
    const stream = createGzip({ level: constants.Z_BEST_SPEED, chunkSize: GZIP_CHUNK_BYTES });
    stream.on('data', (piece: Buffer) => compressed.push(piece));
    stream.on('end', () => resolve(compressed)).on('error', reject);
    Readable.from(parts, { objectMode: true }).pipe(stream);
  });
}

class Api {
  private readonly maxBodyBytes: number;
  private readonly cors: readonly string[];

  constructor(private readonly options: ApiHandlerOptions) {
    this.maxBodyBytes = options.maxBodyBytes ?? DEFAULT_MAX_BODY_BYTES;
    this.cors = corsHeaders(options.corsDomain);
  }

  handle(request: IncomingMessage, response: ServerResponse, awaitsContinue: boolean): void {
    const startedMs = performance.now();
    const { callerOf } = this.options;
    if (callerOf === undefined) {
      return this.receive(request, response, awaitsContinue, startedMs, ANYBODY);
    }
    const receive = (login: Login): void =>
      this.receive(request, response, awaitsContinue, startedMs, login);
    try {
      const login = callerOf(request);
      if (!(login instanceof Promise)) return receive(login);
      login.then(receive).catch(() => request.socket.destroy());
    } catch {
      request.socket.destroy();
    }
  }

  private receive(
    request: IncomingMessage,
    response: ServerResponse,
    awaitsContinue: boolean,
    startedMs: number,
    login: Login,
  ): void {
    const { headers } = request;
    const encoding = requestEncoding(headers['content-type']);
    const refusal =
      'status' in login
        ? login
        : (methodRefusal(request.method) ?? typeRefusal(encoding, headers['content-type']));
    const declared = headers['content-length'];
    if (declared !== undefined && Number(declared) > this.maxBodyBytes) {
      return this.refuseBody(request, response, startedMs);
    }
    if (awaitsContinue) {
      if (refusal !== undefined) return this.refuse(response, refusal, startedMs, CLOSE);
      response.writeContinue();
    }
    let first: Buffer | undefined;
    let others: Buffer[] | undefined;
    let size = 0;
    const take = (chunk: Buffer): void => {
      size += chunk.length;
      if (size > this.maxBodyBytes) {
        request.off('data', take).off('end', finish);
        this.refuseBody(request, response, startedMs);
      } else if (first === undefined) first = chunk;
      // A refused request's body is read and dropped, so that the connection can go on.
      else if (refusal === undefined) (others ??= [first]).push(chunk);
    };
    const finish = (): void => {
      if (refusal !== undefined) return this.refuse(response, refusal, startedMs);
      const body = others === undefined ? (first ?? NOTHING) : Buffer.concat(others, size);
      // Anything that is not read as one of the two was refused, and so was who is no caller.
      this.call(request, response, body, encoding as ProtocolName, startedMs, login as Caller);
    };
    request.on('data', take).on('end', finish);
  }

  private call(
    request: IncomingMessage,
    response: ServerResponse,
    body: Buffer,
    encoding: ProtocolName,
    startedMs: number,
    caller: Caller,
  ): void {
    const { service, challenge } = this.options;
    const protocol = responseProtocol(firstAccept(request));
    service
      .handle(body, encoding, protocol, caller)
      .then((result) => {
        if ('close' in result) request.socket.destroy();
        else if (result.status === 200) {
          const { body } = result;
          if (Array.isArray(body)) this.replyInParts(request, response, protocol, body, startedMs);
          else this.reply(request, response, protocol, body as Buffer, startedMs);
        } else if (result.status === 401) {
          this.refuse(response, challenge ?? UNAUTHORIZED, startedMs);
        } else this.refuse(response, INVALID_BODY, startedMs);
      })
      // Nothing that goes wrong with one answer may end the process.
      .catch(() => request.socket.destroy());
  }

  private reply(
    request: IncomingMessage,
    response: ServerResponse,
    protocol: ProtocolName,
    body: Buffer,
    startedMs: number,
  ): void {
    this.options.count?.(200, PATH, startedMs);
    const type = protocol === 'binary' ? BINARY_TYPE : JSON_TYPE;
    const headers = ['Content-Type', type, ...this.cors];
    if (body.length < GZIP_FROM_BYTES) {
      headers.push('Content-Length', String(body.length));
      // As text of one byte a character, which Node sends in one piece with the header.
      response.writeHead(200, headers).end(body.toString('latin1'), 'latin1');
      return;
    }
    const send = (content: Buffer): void => {
      headers.push('Content-Length', String(content.length));
      response.writeHead(200, headers).end(content);
    };
    headers.push('Vary', 'Accept-Encoding, User-Agent');
    if (!acceptsGzip(request.headers['accept-encoding'])) return send(body);
    gzip(body, { level: constants.Z_BEST_SPEED }, (error, compressed) => {
      if (error !== null) return send(body);
      headers.push('Content-Encoding', 'gzip');
      send(compressed);
    });
  }

  /** A long body, each part let go of once it was sent. */
  private replyInParts(
    request: IncomingMessage,
    response: ServerResponse,
    protocol: ProtocolName,
    parts: readonly Buffer[],
    startedMs: number,
  ): void {
    const [first] = parts;
    if (parts.length === 1 && first !== undefined) {
      return this.reply(request, response, protocol, first, startedMs);
    }
    this.options.count?.(200, PATH, startedMs);
    const type = protocol === 'binary' ? BINARY_TYPE : JSON_TYPE;
    const headers = ['Content-Type', type, ...this.cors, 'Vary', 'Accept-Encoding, User-Agent'];
    const send = (content: readonly Buffer[]): void => {
      const length = content.reduce((sum, part) => sum + part.length, 0);
      response.writeHead(200, [...headers, 'Content-Length', String(length)]);
      sendParts(response, content);
    };
    if (!acceptsGzip(request.headers['accept-encoding'])) return send(parts);
    compress(parts).then(
      (compressed) => {
        headers.push('Content-Encoding', 'gzip');
        send(compressed);
      },
      () => send(parts),
    );
  }

  private refuse(
    response: ServerResponse,
    { status, headers, text }: Refusal,
    startedMs: number,
    more: readonly string[] = [],
  ): void {
    this.options.count?.(status, PATH, startedMs);
    const length = String(Buffer.byteLength(text));
    response
      .writeHead(status, [...headers, ...more, ...this.cors, 'Content-Length', length])
      .end(text);
  }

  /**
   * 413, and the connection ends without reading on (S13). The answer is written and our side is closed;
   * to destroy the socket at once would reset it under a client that has not read the answer yet.
   */
  private refuseBody(request: IncomingMessage, response: ServerResponse, startedMs: number): void {
    this.options.count?.(413, PATH, startedMs);
    request.pause();
    const text = `The body is larger than ${this.maxBodyBytes} bytes\n`;
    const { socket } = request;
    response.writeHead(413, [
      ...TEXT,
      ...this.cors,
      'Content-Length',
      String(text.length),
      'Connection',
      'close',
    ]);
    response.write(text, () => {
      socket.end();
      setTimeout(() => socket.destroy(), LINGER_MS).unref();
    });
  }
}

export function createApiHandler(options: ApiHandlerOptions): ApiHandler {
  const api = new Api(options);
  return (request, response, awaitsContinue = false) =>
    api.handle(request, response, awaitsContinue);
}
