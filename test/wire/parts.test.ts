/** Replies of megabytes over a real server: sent in parts, whole, compressed, or not at all. */
import { request } from 'node:http';
import { gunzipSync } from 'node:zlib';
import { ok } from '../../src/rpc/outcome.js';
import { BINARY, JSON_TYPE, recorder, send, serve, serviceOf } from './support.js';

const CALL = '[1,"getTasksStatus",1,0,{}]';
const PULSE = '[1,"getRoleSummary",1,0,{}]';
const config = { executorConfig: { name: 'x', data: 'd'.repeat(2_000) } };
const tasks = Array.from({ length: 3_000 }, (_, index) => ({
  assignedTask: { taskId: `task-\u00fc-${index}`, instanceId: index, task: config },
  status: 'RUNNING',
}));
const { methods } = recorder(({ method }) =>
  method === 'getTasksStatus' ? ok({ scheduleStatusResult: { tasks } }) : ok(),
);
const headersOf = (type: string): string[] => ['Content-Type', JSON_TYPE, 'Accept', type];

test.each([BINARY, JSON_TYPE])(
  'WIRE-001 %s: the same bytes, compressed on request',
  async (type) => {
    await using served = await serve({ service: serviceOf(methods), corsDomain: 'https://ui' });
    const plain = await send(served.port, CALL, headersOf(type));
    expect([plain.status, plain.headers['content-type']]).toEqual([200, type]);
    expect(plain.body.length).toBeGreaterThan(4 * 1024 * 1024);
    expect(plain.headers['content-length']).toBe(String(plain.body.length));
    expect(plain.headers['transfer-encoding']).toBeUndefined();
    const packed = await send(served.port, CALL, [...headersOf(type), 'Accept-Encoding', 'gzip']);
    expect(packed.headers['content-encoding']).toBe('gzip');
    expect(packed.headers['content-length']).toBe(String(packed.body.length));
    expect(gunzipSync(packed.body).equals(plain.body)).toBe(true);
    for (const { headers } of [plain, packed]) {
      expect(headers['vary']).toBe('Accept-Encoding, User-Agent');
      expect(headers['access-control-allow-origin']).toBe('https://ui');
    }
    // Every task is there, in order and readable.
    if (type === JSON_TYPE) {
      const names = [...plain.body.toString().matchAll(/"task-\u00fc-(\d+)"/g)].map((m) =>
        Number(m[1]),
      );
      expect(names).toEqual(tasks.map((_, index) => index));
      expect(() => JSON.parse(plain.body.toString()) as unknown).not.toThrow();
    }
  },
);

test('HEAD gets the headers alone, and the connection goes on', async () => {
  await using served = await serve({ service: serviceOf(methods) });
  const whole = await send(served.port, CALL, headersOf(JSON_TYPE));
  const head = await send(served.port, CALL, headersOf(JSON_TYPE), 'HEAD');
  expect([head.status, head.body.length]).toEqual([200, 0]);
  expect(head.headers['content-length']).toBe(whole.headers['content-length']);
  expect((await send(served.port, PULSE, headersOf(JSON_TYPE))).status).toBe(200);
});

test('a client that reads slowly or goes away keeps nobody else waiting', async () => {
  await using served = await serve({ service: serviceOf(methods) });
  const gone = new Promise<void>((resolve) => {
    const headers = { 'Content-Type': JSON_TYPE, Accept: JSON_TYPE };
    const { port } = served;
    const slow = request(
      { port, host: '127.0.0.1', path: '/api', method: 'POST', headers },
      (res) => {
        // Nothing of the body is read.
        res.pause();
        res.on('error', () => undefined);
        void send(port, PULSE, headersOf(JSON_TYPE)).then(({ status }) => {
          expect(status).toBe(200);
          slow.destroy();
          resolve();
        });
      },
    );
    slow.on('error', () => undefined);
    slow.end(CALL);
  });
  await gone;
  const again = await send(served.port, CALL, headersOf(JSON_TYPE));
  expect(again.headers['content-length']).toBe(String(again.body.length));
});
