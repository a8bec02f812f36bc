/** `/api` over a real server: headers, encodings, statuses (wire.md §1). */
import { connect } from 'node:net';
import { gunzipSync } from 'node:zlib';
import { UnknownOutcomeError } from '../../src/core/errors.js';
import { ok } from '../../src/rpc/outcome.js';
import { BINARY, hex, JSON_TYPE, recorder, send, serve, serviceOf } from './support.js';

const V1 = '[1,"getRoleSummary",1,0,{}]';
const V2 = hex('80010001 0000000e 676574526f6c6553756d6d617279 00000001 00');
const UTF8 = `${JSON_TYPE}; charset=utf-8`;

function roles(count: number) {
  const summaries = Array.from({ length: count }, (_, i) => ({
    role: `role-${i}`,
    jobCount: i,
    cronJobCount: 0,
  }));
  return recorder(() => ok({ roleSummaryResult: { summaries } }));
}

const few = roles(1);
const many = roles(100);

beforeEach(() => {
  few.calls.length = 0;
});

describe('encodings', () => {
  test('WIRE-001 a reply of 1,024 bytes and more is gzipped on request, a small one is not', async () => {
    await using big = await serve({ service: serviceOf(many.methods) });
    await using small = await serve({ service: serviceOf(few.methods) });
    const headers = ['Content-Type', 'application/x-thrift', 'Accept-Encoding', 'gzip, deflate'];
    const compressed = await send(big.port, V1, headers);
    expect([compressed.status, compressed.headers['content-encoding']]).toEqual([200, 'gzip']);
    expect(compressed.headers['vary']).toBe('Accept-Encoding, User-Agent');
    const plain = await send(big.port, V1, headers.slice(0, 2));
    expect(plain.headers['content-encoding']).toBeUndefined();
    expect(plain.headers['vary']).toBe('Accept-Encoding, User-Agent');
    expect(gunzipSync(compressed.body)).toEqual(plain.body);
    expect(plain.headers['content-length']).toBe(String(plain.body.length));
    const refused = await send(big.port, V1, ['Accept-Encoding', 'gzip;q=0, deflate']);
    expect(refused.headers['content-encoding']).toBeUndefined();
    expect((await send(small.port, V1, headers)).headers['content-encoding']).toBeUndefined();
  });

  test('WIRE-002 TJSON both ways, with exactly that type on the answer', async () => {
    await using served = await serve({ service: serviceOf(few.methods) });
    const reply = await send(served.port, V1, ['Content-Type', JSON_TYPE, 'Accept', JSON_TYPE]);
    expect([reply.status, reply.headers['content-type']]).toEqual([200, JSON_TYPE]);
    expect(reply.body.toString()).toMatch(/^\[1,"getRoleSummary",2,0,/);
  });

  test.each(['UTF-8', 'utf-8'])('WIRE-003 with charset=%s on both headers', async (charset) => {
    await using served = await serve({ service: serviceOf(few.methods) });
    const type = `${JSON_TYPE}; charset=${charset}`;
    const reply = await send(served.port, V1, ['Content-Type', type, 'Accept', type]);
    expect([reply.status, reply.headers['content-type']]).toEqual([200, JSON_TYPE]);
  });

  test('WIRE-004 text/plain is 415 and runs nothing', async () => {
    await using served = await serve({ service: serviceOf(few.methods) });
    const reply = await send(served.port, V1, ['Content-Type', 'text/plain; charset=utf-8']);
    expect(reply.status).toBe(415);
    expect(reply.headers['content-type']).toMatch(/^text\/plain/);
    expect(reply.body.toString()).toContain('text/plain; charset=utf-8');
    expect(few.calls).toEqual([]);
  });

  test('WIRE-005 TBinary both ways', async () => {
    await using served = await serve({ service: serviceOf(few.methods) });
    const reply = await send(served.port, V2, ['Content-Type', BINARY, 'Accept', BINARY]);
    expect([reply.status, reply.headers['content-type']]).toEqual([200, BINARY]);
    expect(reply.body.subarray(0, 4)).toEqual(hex('80010002'));
  });

  test('WIRE-006 CORS headers on every answer when configured, on none otherwise', async () => {
    const service = serviceOf(few.methods);
    await using served = await serve({ service, corsDomain: 'test', maxBodyBytes: 100 });
    const answers = await Promise.all([
      send(served.port, V1),
      send(served.port, '['),
      send(served.port, V1, ['Content-Type', 'text/plain']),
      send(served.port, V1, ['Content-Type', ';']),
      send(served.port, ' '.repeat(101)),
      send(served.port, '', [], 'OPTIONS'),
      send(served.port, '', [], 'PUT'),
    ]);
    expect(answers.map(({ status }) => status)).toEqual([200, 500, 415, 500, 413, 200, 405]);
    for (const { headers } of answers) {
      expect(headers).toMatchObject({
        'access-control-allow-origin': 'test',
        'access-control-allow-methods': 'DELETE,GET,HEAD,OPTIONS,POST,PUT',
        'access-control-allow-headers': 'Accept,Content-Type,Origin,X-Requested-With',
      });
    }
    await using without = await serve({ service });
    const names = Object.keys((await send(without.port, V1)).headers);
    expect(names.filter((name) => name.startsWith('access-control'))).toEqual([]);
  });

  test.each<[string | undefined, number, 'json' | 'binary']>([
    [undefined, 200, 'json'],
    ['application/json', 200, 'json'],
    ['Application/JSON', 200, 'json'],
    ['application/x-thrift', 200, 'json'],
    ['application/x-thrift', 500, 'binary'],
    [JSON_TYPE, 200, 'json'],
    [`${JSON_TYPE};charset=UTF-8`, 200, 'json'],
    [`${JSON_TYPE}; charset="utf-8"`, 200, 'json'],
    [BINARY, 200, 'binary'],
    [BINARY.toUpperCase(), 200, 'binary'],
    [BINARY, 500, 'json'],
    ['text/plain', 415, 'json'],
    ['application/vnd.apache.thrift.compact', 415, 'json'],
    ['application/json; charset=utf-8', 415, 'json'],
    ['application/x-thrift; charset=utf-8', 415, 'json'],
    [`${BINARY}; charset=utf-8`, 415, 'binary'],
    [`${JSON_TYPE}; charset=latin1`, 415, 'json'],
    [`${JSON_TYPE}; charset=utf-8; q=1`, 415, 'json'],
    ['nonsense', 500, 'json'],
    ['a/b/c', 500, 'json'],
  ])('Content-Type %p is %d for a %s body (§1.2)', async (type, status, kind) => {
    await using served = await serve({ service: serviceOf(few.methods) });
    const body = kind === 'json' ? V1 : V2;
    const reply = await send(served.port, body, type === undefined ? [] : ['Content-Type', type]);
    expect(reply.status).toBe(status);
    expect(few.calls).toHaveLength(status === 200 ? 1 : 0);
  });

  test('of a repeated Content-Type the first counts, as gorealis sends it (§1.2)', async () => {
    await using served = await serve({ service: serviceOf(few.methods) });
    const twice = ['Content-Type', 'application/x-thrift', 'Content-Type', 'application/x-thrift'];
    expect((await send(served.port, V1, twice)).status).toBe(200);
    const second = ['Content-Type', 'application/x-thrift', 'Content-Type', 'text/plain'];
    expect((await send(served.port, V1, second)).status).toBe(200);
  });

  test.each<[readonly string[], string]>([
    [[], JSON_TYPE],
    [['*/*'], JSON_TYPE],
    [['text/plain, */*; q=0.01'], JSON_TYPE],
    [[BINARY], BINARY],
    [[BINARY.toUpperCase()], BINARY],
    [[`${BINARY};q=1`], JSON_TYPE],
    [[`${BINARY}, ${JSON_TYPE}`], JSON_TYPE],
    [[BINARY, JSON_TYPE], BINARY],
    [[JSON_TYPE, BINARY], JSON_TYPE],
    [[UTF8], JSON_TYPE],
    [['nonsense'], JSON_TYPE],
  ])('Accept %j is answered as %s (§1.3)', async (accepts, type) => {
    await using served = await serve({ service: serviceOf(few.methods) });
    const headers = ['Content-Type', BINARY, ...accepts.flatMap((value) => ['Accept', value])];
    const reply = await send(served.port, V2, headers);
    expect([reply.status, reply.headers['content-type']]).toEqual([200, type]);
  });
});

describe('methods and statuses', () => {
  test('GET is as POST, HEAD runs it without a body (§1.1)', async () => {
    await using served = await serve({ service: serviceOf(few.methods) });
    const post = await send(served.port, V1);
    expect((await send(served.port, V1, [], 'GET')).body).toEqual(post.body);
    const head = await send(served.port, V1, [], 'HEAD');
    expect([head.status, head.body.length]).toEqual([200, 0]);
    expect(head.headers['content-length']).toBe(String(post.body.length));
    expect(few.calls).toHaveLength(3);
  });

  test('OPTIONS is 200 with Allow, PUT and DELETE are 405, and nothing is run (§1.1)', async () => {
    await using served = await serve({ service: serviceOf(few.methods) });
    const options = await send(served.port, '', [], 'OPTIONS');
    expect([options.status, options.body.length]).toEqual([200, 0]);
    expect(options.headers['allow']).toBe('GET, HEAD, POST, TRACE, OPTIONS');
    for (const method of ['PUT', 'DELETE', 'PATCH', 'TRACE']) {
      expect((await send(served.port, V1, [], method)).status).toBe(405);
    }
    expect(few.calls).toEqual([]);
  });

  test.each(['', '[', '{}', 'null', '[1,"getRoleSummary",1,0', '\u001f\u008b'])(
    'S8 the body %j is 500, and the connection closes',
    async (body) => {
      await using served = await serve({ service: serviceOf(few.methods) });
      const reply = await send(served.port, body);
      expect([reply.status, reply.headers['connection']]).toEqual([500, 'close']);
      expect(reply.headers['content-type']).toMatch(/^text\/html/);
    },
  );

  test('bytes after the message are ignored, blanks between tokens are not minded', async () => {
    await using served = await serve({ service: serviceOf(few.methods) });
    expect((await send(served.port, `${V1} trailing`)).status).toBe(200);
    expect((await send(served.port, ' [ 1 , "getRoleSummary" , 1 , 0 , { } ] ')).status).toBe(200);
    const binary = Buffer.concat([V2, Buffer.from('trailing')]);
    expect((await send(served.port, binary, ['Content-Type', BINARY])).status).toBe(200);
  });

  test('S13 a declared body over the limit is 413 before it is sent, and the connection ends', async () => {
    await using served = await serve({ service: serviceOf(few.methods) });
    const got = await raw(
      served.port,
      'POST /api HTTP/1.1\r\nHost: x\r\nContent-Length: 104857600\r\n\r\n',
    );
    expect(got).toMatch(/^HTTP\/1\.1 413 .*\r\nConnection: close\r\n/s);
  });

  test('S13 a chunked body is 413 once it is over the limit', async () => {
    await using served = await serve({ service: serviceOf(few.methods), maxBodyBytes: 1000 });
    const chunk = `258\r\n${' '.repeat(600)}\r\n`;
    const head = 'POST /api HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n';
    expect(await raw(served.port, head + chunk + chunk)).toMatch(/^HTTP\/1\.1 413 /);
    const exact = `3e8\r\n${V1.padEnd(1000)}\r\n0\r\n\r\n`;
    expect(
      await raw(served.port, head.replace('Host: x', 'Host: x\r\nConnection: close') + exact),
    ).toMatch(/^HTTP\/1\.1 200 /);
  });

  test('S13 nothing of an endless body is read after the refusal', async () => {
    await using served = await serve({ service: serviceOf(few.methods), maxBodyBytes: 1000 });
    let read = 0;
    served.server.on('connection', (socket) => {
      socket.on('close', () => (read = socket.bytesRead));
    });
    const socket = connect(served.port, '127.0.0.1');
    socket.on('error', () => undefined);
    socket.write('POST /api HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n');
    const chunk = `10000\r\n${' '.repeat(0x10000)}\r\n`;
    const pump = (): void => {
      while (!socket.destroyed && socket.write(chunk));
    };
    socket.on('drain', pump);
    pump();
    await new Promise((resolve) => socket.once('data', resolve));
    await new Promise((resolve) => socket.once('close', resolve));
    expect(read).toBeLessThan(1024 * 1024);
  });

  test('Expect: 100-continue is invited to go on, or refused before the body', async () => {
    await using served = await serve({ service: serviceOf(few.methods) });
    const head = (length: number, type = JSON_TYPE): string =>
      `POST /api HTTP/1.1\r\nHost: x\r\nConnection: close\r\nExpect: 100-continue\r\nContent-Type: ${type}\r\nContent-Length: ${length}\r\n\r\n`;
    expect(await raw(served.port, head(V1.length) + V1)).toMatch(
      /^HTTP\/1\.1 100 Continue\r\n\r\nHTTP\/1\.1 200 /,
    );
    expect(await raw(served.port, head(10 ** 9))).toMatch(/^HTTP\/1\.1 413 /);
    expect(await raw(served.port, head(100, 'text/plain'))).toMatch(/^HTTP\/1\.1 415 /);
  });

  test('S14 an unknown outcome ends the connection without an answer', async () => {
    const service = serviceOf({
      snapshot: () => Promise.reject(new UnknownOutcomeError('who knows')),
    });
    await using served = await serve({ service });
    await expect(send(served.port, '[1,"snapshot",1,0,{}]')).rejects.toThrow(/socket hang up/);
  });

  test('the caller is who callerOf says; when it throws, only that connection ends', async () => {
    const users: string[] = [];
    const service = serviceOf({
      getRoleSummary: (_, { user }) => {
        users.push(user);
        return Promise.resolve(ok());
      },
    });
    await using served = await serve({
      service,
      callerOf: (request) => {
        if (request.headers['x-user'] === undefined) throw new Error('nobody');
        return { user: request.headers['x-user'] as string };
      },
    });
    await send(served.port, V1, ['X-User', 'ann']);
    await expect(send(served.port, V1)).rejects.toThrow();
    await using open = await serve({ service });
    await send(open.port, V1);
    expect(users).toEqual(['ann', 'UNSECURE']);
  });

  test('a client that leaves in the middle of its body does no harm', async () => {
    await using served = await serve({ service: serviceOf(few.methods) });
    const closed = new Promise((resolve) =>
      served.server.once('connection', (socket) => socket.once('close', resolve)),
    );
    const socket = connect(served.port, '127.0.0.1');
    socket.write('POST /api HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n[1,', () => {
      socket.destroy();
    });
    await closed;
    expect((await send(served.port, V1)).status).toBe(200);
  });
});

/** All bytes a server answers to these, until it closes. */
function raw(port: number, text: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, '127.0.0.1');
    let got = '';
    socket.on('data', (data) => (got += data.toString('latin1')));
    socket.on('error', reject);
    socket.on('end', () => {
      socket.destroy();
      resolve(got);
    });
    socket.write(text);
  });
}
