/** operations.md §2.2 and §3: the operators' endpoints, and the server's manners. */
import { once } from 'node:events';
import { Agent, request as httpRequest, type IncomingMessage } from 'node:http';
import { connect, createServer, type AddressInfo } from 'node:net';
import { gunzipSync } from 'node:zlib';
import { operatorRoutes, type LeaderStatus, type OperatorOptions } from '../../src/http/health.js';
import { startHttpServer, type HttpServer, type HttpServerOptions } from '../../src/http/server.js';
import { silentLog } from '../../src/observe/log.js';
import { Metrics } from '../../src/observe/metrics.js';
import { requestCounter } from '../../src/http/request-counter.js';
import { Stats } from '../../src/observe/stats.js';

interface Answer {
  readonly status: number;
  readonly headers: IncomingMessage['headers'];
  readonly body: Buffer;
  readonly text: string;
}

let server: HttpServer;
let stats: Stats;
let status: LeaderStatus;
let events: string[];
let agent: Agent;
let api: HttpServerOptions['api'];
let countApi: (startedMs: number) => void;

async function start(
  more: Partial<HttpServerOptions> = {},
  operator: Partial<OperatorOptions> = {},
): Promise<HttpServer> {
  const metrics = new Metrics(stats);
  const count = requestCounter(stats, metrics);
  countApi = (startedMs) => count(200, '/api', startedMs);
  return startHttpServer({
    ip: '127.0.0.1',
    port: 0,
    api: (request, response, awaitsContinue) => api(request, response, awaitsContinue),
    routes: operatorRoutes({
      clusterName: 'a<b>&c',
      leaderStatus: () => status,
      ...{ stats, metrics },
      quit: () => events.push('quit'),
      abort: () => events.push('abort'),
      ...operator,
    }),
    log: silentLog,
    count,
    ...more,
  });
}

beforeEach(async () => {
  stats = new Stats();
  status = 'LEADING';
  events = [];
  agent = new Agent({ keepAlive: true });
  api = (_request, response) => response.end('api');
  server = await start();
});

afterEach(async () => {
  agent.destroy();
  await server.close(0);
});

async function ask(
  path: string,
  { method = 'GET', headers = {} }: { method?: string; headers?: Record<string, string> } = {},
): Promise<Answer> {
  const sent = httpRequest({ host: '127.0.0.1', port: server.port, path, method, headers, agent });
  sent.end();
  const [response] = (await once(sent, 'response')) as [IncomingMessage];
  const chunks: Buffer[] = [];
  for await (const chunk of response) chunks.push(chunk as Buffer);
  const body = Buffer.concat(chunks);
  return {
    status: response.statusCode ?? 0,
    headers: response.headers,
    body,
    text: body.toString(),
  };
}

/** A stand-in for a handler that takes its time: `arrived` when it was called, then `finish`. */
function slowApi(): { arrived: Promise<void>; finish: () => void } {
  let finish = (): void => {};
  const arrived = new Promise<void>((resolve) => {
    api = (_request, response) => {
      finish = () => response.end('late');
      resolve();
    };
  });
  return { arrived, finish: () => finish() };
}

describe('endpoints', () => {
  test('/health is OK whatever happens', async () => {
    status = 'NO_LEADER';
    const { status: code, text, headers } = await ask('/health');
    expect([code, text, headers['content-type']]).toEqual([
      200,
      'OK\n',
      'text/plain; charset=utf-8',
    ]);
  });

  test.each([
    ['LEADING', 200],
    ['NOT_LEADING', 503],
    ['NO_LEADER', 502],
  ] as const)('OPS-023: /leaderhealth, %s: %d', async (now, expected) => {
    status = now;
    expect((await ask('/leaderhealth')).status).toBe(expected);
  });

  test('/vars, /vars.json, pretty', async () => {
    stats.increment('b', 2);
    stats.gauge('a', () => 'x');
    expect((await ask('/vars')).text).toBe('a x\nb 2');
    const json = await ask('/vars.json');
    expect(json.headers['content-type']).toBe('application/json');
    expect(JSON.parse(json.text)).toMatchObject({ a: 'x', b: 2 });
    expect((await ask('/vars.json?pretty=true')).text).toContain('\n  "b": 2,\n');
  });

  test('/metrics', async () => {
    stats.increment('update_transition_ABORTED');
    const { headers, text } = await ask('/metrics');
    expect(headers['content-type']).toMatch(/^text\/plain; version=/);
    expect(text).toContain('aurora_job_update_transitions_total{status="ABORTED"} 1');
  });

  test('/ tells what this is, with the name of the cluster escaped; OPS-026: gzip', async () => {
    const {
      status: code,
      headers,
      body,
    } = await ask('/', { headers: { 'Accept-Encoding': 'gzip' } });
    expect([code, headers['content-encoding'], headers['content-type']]).toEqual([
      200,
      'gzip',
      'text/html; charset=utf-8',
    ]);
    expect(gunzipSync(body).toString()).toContain('cluster <b>a&lt;b>&amp;c</b>');
  });

  test('HEAD is GET without a body', async () => {
    const { status: code, headers, text } = await ask('/health', { method: 'HEAD' });
    expect([code, headers['content-length'], text]).toEqual([200, '3', '']);
  });

  test.each([
    ['GET', '/nothing', 404, undefined],
    ['GET', '/api/', 404, undefined],
    ['GET', '/toString', 404, undefined],
    ['GET', '/locks', 404, undefined],
    ['POST', '/health', 405, 'GET, HEAD'],
    ['GET', '/quitquitquit', 405, 'POST'],
    ['GET', '/abortabortabort', 405, 'POST'],
    ['DELETE', '/vars', 405, 'GET, HEAD'],
  ])('%s %s: %d', async (method, path, code, allow) => {
    const answer = await ask(path, { method });
    expect([answer.status, answer.headers.allow]).toEqual([code, allow]);
    expect(events).toEqual([]);
  });

  test('a page that throws is a 500, and the server goes on', async () => {
    await server.close();
    server = await start({
      routes: {
        '/bad': {
          GET: () => {
            throw new Error('broken');
          },
        },
      },
    });
    expect(await ask('/bad')).toMatchObject({ status: 500, text: '/bad failed: broken\n' });
    expect((await ask('/health')).status).toBe(404);
  });
});

describe('shutdown endpoints', () => {
  test('/quitquitquit answers first', async () => {
    await server.close();
    let quit = (): void => {};
    const asked = new Promise<void>((resolve) => (quit = resolve));
    server = await start({}, { quit });
    const answer = await ask('/quitquitquit', { method: 'POST' });
    expect(answer).toMatchObject({ status: 200, text: 'Shutting down.\n' });
    await asked;
  });

  test('/abortabortabort does not answer', async () => {
    await expect(ask('/abortabortabort', { method: 'POST' })).rejects.toThrow('socket hang up');
    expect(events).toEqual(['abort']);
  });

  test.each([401, 403] as const)('callers may be refused: %d', async (code) => {
    await server.close();
    server = await start({}, { mayControl: () => code });
    for (const path of ['/quitquitquit', '/abortabortabort']) {
      expect((await ask(path, { method: 'POST' })).status).toBe(code);
    }
    expect(events).toEqual([]);
  });
});

describe('/api', () => {
  test('every method and query of the exact path goes to the handler', async () => {
    api = (request, response) => response.end(`${request.method} ${request.url}`);
    expect((await ask('/api', { method: 'POST' })).text).toBe('POST /api');
    expect((await ask('/api?x=1', { method: 'PUT' })).text).toBe('PUT /api?x=1');
  });

  test('a client that asks before it sends a body reaches the handler before it has', async () => {
    let awaited: boolean | undefined;
    api = (_request, response, awaitsContinue) => {
      awaited = awaitsContinue;
      response.writeHead(413).end();
    };
    const sent = httpRequest({
      ...{ host: '127.0.0.1', port: server.port, path: '/api', method: 'POST' },
      headers: { Expect: '100-continue', 'Content-Length': '10' },
    });
    sent.flushHeaders();
    const [response] = (await once(sent, 'response')) as [IncomingMessage];
    expect([response.statusCode, awaited]).toEqual([413, true]);
    sent.destroy();
  });
});

test('answers are counted by status, in /vars and for Prometheus', async () => {
  // The handler of /api counts its own.
  api = (_request, response) => {
    countApi(performance.now());
    response.end('api');
  };
  await ask('/api');
  await ask('/health');
  await ask('/nothing/of/interest');
  const vars = JSON.parse((await ask('/vars.json')).text) as Record<string, number>;
  expect(vars['http_200_responses_events']).toBe(2);
  expect(vars['http_200_responses_nanos_total']).toBeGreaterThan(0);
  expect(vars['http_404_responses_events']).toBe(1);
  const { text } = await ask('/metrics');
  expect(text).toContain('aurora_http_requests_total{status="200",path_group="/api"} 1');
  expect(text).toContain('aurora_http_requests_total{status="404",path_group="other"} 1');
});

describe('listening', () => {
  test('connections are kept for more than the 30 s that clients count on', async () => {
    const { headers } = await ask('/health');
    const [, seconds] = /timeout=(\d+)/.exec(String(headers['keep-alive'])) ?? [];
    expect(Number(seconds)).toBeGreaterThan(30);
  });

  test('a taken port is named, with the remedy', async () => {
    const blocker = createServer().listen(0, '127.0.0.1');
    await once(blocker, 'listening');
    const { port } = blocker.address() as AddressInfo;
    await expect(start({ port })).rejects.toThrow(
      `Port ${port} on 127.0.0.1 is taken. Stop what listens there, or choose another --http_port.`,
    );
    blocker.close();
  });

  test('so is an address that is not ours', async () => {
    await expect(start({ ip: '192.0.2.1' })).rejects.toThrow(
      'This machine has no address 192.0.2.1',
    );
  });

  test('rubbish is answered 400, over-long headers 431', async () => {
    for (const [text, code] of [
      ['rubbish\r\n\r\n', '400'],
      [`GET /health HTTP/1.1\r\nX: ${'y'.repeat(40_000)}\r\n\r\n`, '431'],
    ] as const) {
      const socket = connect(server.port, '127.0.0.1');
      socket.write(text);
      const [answer] = (await once(socket, 'data')) as [Buffer];
      expect(answer.toString()).toContain(`HTTP/1.1 ${code} `);
      socket.destroy();
    }
    expect((await ask('/health')).status).toBe(200);
  });
});

describe('closing', () => {
  test('requests under way are finished, their connections closed, new ones refused', async () => {
    const slow = slowApi();
    const answer = ask('/api', { method: 'POST' });
    await slow.arrived;
    const closed = server.close();
    await expect(ask('/health')).rejects.toThrow('ECONNREFUSED');
    slow.finish();
    const { status: code, text, headers } = await answer;
    expect([code, text, headers.connection]).toEqual([200, 'late', 'close']);
    await closed;
    await server.close();
  });

  test('idle connections do not hold it up', async () => {
    await ask('/health'); // the agent keeps the connection
    await server.close(60_000);
  });

  test('an answer whose header has left already ends its connection too', async () => {
    const arrived = new Promise<() => void>((resolve) => {
      api = (_request, response) => {
        response.writeHead(200, { 'Content-Length': 4 });
        response.write('la');
        resolve(() => response.end('te'));
      };
    });
    const answer = ask('/api');
    const finish = await arrived;
    const closed = server.close(60_000);
    finish();
    expect((await answer).text).toBe('late');
    await closed;
  });

  test('what does not end in time is cut off', async () => {
    const slow = slowApi();
    const answer = ask('/api').catch((error: Error) => error.message);
    await slow.arrived;
    await server.close(10);
    expect(await answer).toBe('socket hang up');
  });
});
