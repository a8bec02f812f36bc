/**
 * The HTTP server: `/api` first, on bare node:http (design.md §4), then a small table of routes for
 * operators, 404 and 405 (operations.md §3). Nothing here derives anything from the Host header, which
 * clients send without a port and repeat after redirects (wire.md §1.5).
 */
import { createServer, ServerResponse, type IncomingMessage, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { promisify } from 'node:util';
import { gzip } from 'node:zlib';
import type { Log } from '../observe/log.js';
import type { CountRequest } from './request-counter.js';

export interface Reply {
  readonly status: number;
  /** Content type; text is sent as UTF-8. */
  readonly type: string;
  readonly body: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** Runs when the answer has been handed to the network. */
  readonly afterwards?: () => void;
}

/** What a route knows of a request. */
export interface RouteRequest {
  readonly query: URLSearchParams;
  readonly raw: IncomingMessage;
}

/** Answers a request; `undefined` leaves it without an answer and closes the connection. */
export type RouteHandler = (
  request: RouteRequest,
) => Reply | undefined | Promise<Reply | undefined>;

/** By exact path, then by method. GET answers HEAD too. */
export type Routes = Readonly<
  Record<string, Readonly<Partial<Record<'GET' | 'POST', RouteHandler>>>>
>;

export interface HttpServerOptions {
  /** Address to listen on. */
  readonly ip: string;
  /** 0 takes a free one. */
  readonly port: number;
  /** Everything at the exact path `/api`; with `awaitsContinue` the body has not been sent yet. */
  readonly api: (
    request: IncomingMessage,
    response: ServerResponse,
    awaitsContinue?: boolean,
  ) => void;
  readonly routes: Routes;
  readonly log: Log;
  /** Told of every answer but those at `/api`, whose handler counts its own. */
  readonly count?: CountRequest;
}

export interface HttpServer {
  readonly port: number;
  /**
   * Takes no new connections, finishes the requests under way (at most `graceMs`, 5 s by default) and
   * closes. Later calls wait for the first.
   */
  close(graceMs?: number): Promise<void>;
}

/**
 * Python clients reuse a connection between polls up to 150 s apart and do not repeat a write that fails
 * on a closing one; the reference's 30 s is the least we owe them (wire.md §1.5).
 */
const KEEP_ALIVE_MS = 65_000;
/** Above the former, or Node cuts off a request that arrives at the last moment. */
const HEADERS_MS = 70_000;
const GRACE_MS = 5_000;
/** While closing, connections that have fallen idle are closed this often. */
const SWEEP_MS = 25;

const gzipAsync = promisify(gzip);

/** Listens and serves. @throws Error with the remedy when the address cannot be had. */
export async function startHttpServer(options: HttpServerOptions): Promise<HttpServer> {
  const listener = new Listener(options);
  await listener.listen();
  return listener;
}

class Listener implements HttpServer {
  readonly #server: Server;
  #closing: Promise<void> | undefined;
  #port = 0;

  constructor(private readonly options: HttpServerOptions) {
    const isClosing = (): boolean => this.#closing !== undefined;
    this.#server = createServer({
      keepAliveTimeout: KEEP_ALIVE_MS,
      headersTimeout: HEADERS_MS,
      ServerResponse: lastWhen(isClosing),
    });
    this.#server.on('request', (request, response) => this.#handle(request, response, false));
    this.#server.on('checkContinue', (request, response) => this.#handle(request, response, true));
  }

  get port(): number {
    return this.#port;
  }

  listen(): Promise<void> {
    const { ip, port, log } = this.options;
    return new Promise((resolve, reject) => {
      this.#server.once('error', (error) => reject(explained(error, ip, port)));
      this.#server.listen(port, ip, () => {
        this.#server.removeAllListeners('error');
        this.#server.on('error', (error) => log.error({ err: error }, 'HTTP server'));
        this.#port = (this.#server.address() as AddressInfo).port;
        resolve();
      });
    });
  }

  close(graceMs = GRACE_MS): Promise<void> {
    this.#closing ??= new Promise((resolve) => {
      const limit = setTimeout(() => this.#server.closeAllConnections(), graceMs);
      this.#server.close(() => {
        clearTimeout(limit);
        resolve();
      });
      // A kept-alive connection falls idle when its last answer is out.
      const sweep = setInterval(() => this.#server.closeIdleConnections(), SWEEP_MS);
      this.#server.once('close', () => clearInterval(sweep));
      this.#server.closeIdleConnections();
    });
    return this.#closing;
  }

  #handle(request: IncomingMessage, response: ServerResponse, awaitsContinue: boolean): void {
    const url = request.url ?? '/';
    const end = url.indexOf('?');
    const path = end < 0 ? url : url.slice(0, end);
    if (path === '/api') return this.options.api(request, response, awaitsContinue);
    if (awaitsContinue) response.writeContinue();
    const startedMs = performance.now();
    const query = new URLSearchParams(end < 0 ? '' : url.slice(end + 1));
    this.#route(path, { query, raw: request }, response, startedMs).catch((error: unknown) => {
      this.options.log.error({ err: error, path }, 'a request could not be answered');
      response.destroy();
    });
  }

  async #route(
    path: string,
    request: RouteRequest,
    response: ServerResponse,
    startedMs: number,
  ): Promise<void> {
    request.raw.resume(); // nobody here reads a body
    const reply = await this.#answer(path, request);
    if (!reply) {
      request.raw.socket.destroy();
      return;
    }
    const { count, routes } = this.options;
    count?.(reply.status, Object.hasOwn(routes, path) ? path : 'other', startedMs);
    const { 'accept-encoding': accepted = '' } = request.raw.headers;
    const compress = reply.status < 300 && /\bgzip\b/.test(accepted) && reply.body !== '';
    const body = compress ? await gzipAsync(reply.body) : Buffer.from(reply.body);
    response.writeHead(reply.status, {
      'Content-Type': reply.type,
      'Content-Length': body.length,
      Vary: 'Accept-Encoding',
      ...(compress ? { 'Content-Encoding': 'gzip' } : {}),
      ...reply.headers,
    });
    response.end(request.raw.method === 'HEAD' ? undefined : body, reply.afterwards);
  }

  async #answer(path: string, request: RouteRequest): Promise<Reply | undefined> {
    const { routes, log } = this.options;
    const route = Object.hasOwn(routes, path) ? routes[path] : undefined;
    if (!route) return plain(404, `There is nothing at ${path}\n`);
    const method = request.raw.method === 'HEAD' ? 'GET' : request.raw.method;
    const handler = method === 'GET' || method === 'POST' ? route[method] : undefined;
    if (!handler) {
      const allowed = [...Object.keys(route), ...(route.GET ? ['HEAD'] : [])].join(', ');
      return { ...plain(405, `${path} takes ${allowed}\n`), headers: { Allow: allowed } };
    }
    try {
      return await handler(request);
    } catch (error) {
      log.error({ err: error, path }, 'a page failed');
      return plain(500, `${path} failed: ${error instanceof Error ? error.message : 'unknown'}\n`);
    }
  }
}

/** Responses that tell the client, once the server is closing, that their connection ends with them. */
function lastWhen(isClosing: () => boolean): typeof ServerResponse {
  class Answer extends ServerResponse {
    override writeHead(...args: never[]): this {
      if (isClosing()) this.shouldKeepAlive = false;
      return (super.writeHead as (...all: never[]) => this).apply(this, args);
    }
  }
  return Answer as unknown as typeof ServerResponse;
}

/** A text answer. */
export function plain(status: number, body: string): Reply {
  return { status, type: 'text/plain; charset=utf-8', body };
}

function explained(error: NodeJS.ErrnoException, ip: string, port: number): Error {
  const remedy: Partial<Record<string, string>> = {
    EADDRINUSE: `Port ${port} on ${ip} is taken. Stop what listens there, or choose another --http_port.`,
    EACCES: `This user may not listen on port ${port}. Choose an --http_port above 1023.`,
    EADDRNOTAVAIL: `This machine has no address ${ip}. Correct --ip.`,
    ENOTFOUND: `--ip=${ip} is not an address of this machine.`,
  };
  const text = remedy[error.code ?? ''];
  return text === undefined ? error : new Error(text, { cause: error });
}
