/** Dispatch and the mapping of what comes back (wire.md §1.4 and §2). */
import { Thrift } from 'thrift';
import { RefusedError, TransientError, UnknownOutcomeError } from '../../src/core/errors.js';
import { ok, refuse, type RpcMethod } from '../../src/rpc/outcome.js';
import { createFromCore, EncodeError } from '../../src/wire/from-core.js';
import { auroraSchema } from '../../src/wire/idl.js';
import type { ServedApi } from '../../src/wire/service.js';
import { BinaryWriter } from '../../src/wire/tbinary.js';
import { JsonWriter } from '../../src/wire/tjson-writer.js';
import { answer, CALLER, hex, jsonAnswer, recorder, reply, serviceOf } from './support.js';

const GET_JOBS = '[1,"getJobs",1,9,{}]';

function throwing(error: unknown): Record<string, RpcMethod> {
  return {
    getJobs: () => {
      throw error;
    },
    getQuota: () => Promise.reject(error as Error),
  };
}

async function replyTo(methods: Record<string, RpcMethod>, body = GET_JOBS) {
  return reply(await jsonAnswer(serviceOf(methods), body));
}

describe('what an RPC may end with', () => {
  test('WIRE-013 serverInfo is the configured one, whatever the RPC says', async () => {
    const service = serviceOf(
      {
        getJobs: () =>
          Promise.resolve({
            ...ok({ getJobsResult: { configs: [] } }),
            serverInfo: { clusterName: 'FAKECLUSTER' },
          }),
      },
      { serverInfo: { clusterName: 'test', statsUrlPrefix: 'fake_url' } },
    );
    const text = String(await answer(service, GET_JOBS, 'json'));
    expect(text).toContain('"5":{"rec":{"1":{"str":"test"},"3":{"str":"fake_url"}}}');
    expect(text).not.toContain('FAKECLUSTER');
  });

  test.each(['getJobs', 'getQuota'])(
    'WIRE-014 S6 a transient error from %s is ERROR_TRANSIENT with one detail, and counted',
    async (method) => {
      const seen: unknown[] = [];
      const service = serviceOf(throwing(new TransientError('not the leader')), {
        onCall: (...call) => seen.push(call),
      });
      const answered = reply(await jsonAnswer(service, `[1,"${method}",1,0,{}]`));
      expect(answered).toEqual({
        code: 6,
        details: [{ '1': { str: 'not the leader' } }],
        result: undefined,
      });
      expect(seen).toEqual([[method, 'ERROR_TRANSIENT', expect.any(Number)]]);
    },
  );

  test.each([new Error(), undefined, 'text', null, 7])(
    'WIRE-015 S5 an error without message (%p) is ERROR with one empty detail, and counted',
    async (error) => {
      const seen: unknown[] = [];
      const logged: unknown[] = [];
      const service = serviceOf(throwing(error), {
        onCall: (method, code) => seen.push([method, code]),
        log: { error: (fields) => logged.push(fields) },
      });
      for (const method of ['getJobs', 'getQuota']) {
        const answered = reply(await jsonAnswer(service, `[1,"${method}",1,0,{}]`));
        expect(answered).toEqual({ code: 2, details: [{}], result: undefined });
      }
      expect(seen).toEqual([
        ['getJobs', 'ERROR'],
        ['getQuota', 'ERROR'],
      ]);
      expect(logged).toHaveLength(2);
    },
  );

  test('S1 a result, a refusal, and every code keep their details', async () => {
    expect(await replyTo({ getJobs: async () => ok() })).toEqual({
      code: 1,
      details: [],
      result: undefined,
    });
    const codes = {
      INVALID_REQUEST: 0,
      ERROR: 2,
      WARNING: 3,
      AUTH_FAILED: 4,
      JOB_UPDATING_ERROR: 5,
      ERROR_TRANSIENT: 6,
    } as const;
    for (const [name, code] of Object.entries(codes)) {
      expect(
        await replyTo({ getJobs: async () => refuse(name as keyof typeof codes, 'why') }),
      ).toEqual({ code, details: [{ '1': { str: 'why' } }], result: undefined });
    }
  });

  test('S5 an error with a message is ERROR with that message', async () => {
    expect(await replyTo(throwing(new TypeError('x is null')))).toMatchObject({
      code: 2,
      details: [{ '1': { str: 'x is null' } }],
    });
  });

  test.each([
    ['INVALID_REQUEST', 0],
    ['ERROR', 2],
    ['JOB_UPDATING_ERROR', 5],
  ] as const)('a RefusedError with %s has that code', async (code, number) => {
    expect(await replyTo(throwing(new RefusedError(code, 'no')))).toMatchObject({
      code: number,
      details: [{ '1': { str: 'no' } }],
    });
  });

  test('S4 a Thrift exception is EXCEPTION 6, echoed', async () => {
    expect(await jsonAnswer(serviceOf(throwing(new Thrift.TException('odd'))), GET_JOBS)).toEqual([
      1,
      'getJobs',
      3,
      9,
      { '1': { str: 'odd' }, '2': { i32: 6 } },
    ]);
  });

  test('S14 an unknown outcome gets no reply at all', async () => {
    const seen: unknown[] = [];
    const service = serviceOf(throwing(new UnknownOutcomeError('?')), {
      onCall: (method, code) => seen.push([method, code]),
    });
    expect(await answer(service, GET_JOBS, 'json')).toBe('close');
    expect(seen).toEqual([['getJobs', 'UNKNOWN']]);
  });

  test('a result that does not fit the IDL is a whole ERROR reply, not half of an OK one', async () => {
    const logged: unknown[] = [];
    const bad = [
      { getJobsResult: { configs: [{ instanceCount: 1.5 }] } },
      { getJobsResult: { configs: [{ instanceCount: 2 ** 31 }] } },
      { getJobsResult: { configs: [{ cronCollisionPolicy: 'NO_SUCH' }] } },
      { getJobsResult: { configs: 'x' } },
      { getJobsResult: { configs: [null] } },
      { getJobsResult: {}, getQuotaResult: {} },
      { noSuchResult: {} },
    ];
    for (const result of bad) {
      const service = serviceOf(
        { getJobs: async () => ok(result) },
        { log: { error: (fields) => logged.push(fields) } },
      );
      for (const protocol of ['json', 'binary'] as const) {
        const body = (await answer(service, GET_JOBS, 'json', protocol)) as Buffer;
        expect(body.includes('getJobs')).toBe(true);
        if (protocol === 'json') {
          expect(reply(JSON.parse(body.toString()))).toMatchObject({ code: 2, result: undefined });
        }
      }
    }
    expect(logged).toHaveLength(2 * bad.length);
    for (const fields of logged)
      expect((fields as { err: unknown }).err).toBeInstanceOf(EncodeError);
  });
});

describe('dispatch', () => {
  test('S2 unknown, inherited and prefixed names are EXCEPTION 1, echoed', async () => {
    const service = serviceOf(recorder().methods);
    const names = ['getVersion', 'toString', '__proto__', 'constructor', 'AuroraAdmin:getJobs', ''];
    for (const name of names) {
      expect(await jsonAnswer(service, `[1,"${name}",1,-3,{"4":{"rec":{}}}]`)).toEqual([
        1,
        name,
        3,
        -3,
        { '1': { str: 'unknown method' }, '2': { i32: 1 } },
      ]);
    }
  });

  test('S2 in TBinary, byte for byte', async () => {
    const call = hex('80010001 00000004 6e6f7065 00000002 00');
    expect(((await answer(serviceOf({}), call, 'binary')) as Buffer).toString('hex')).toBe(
      '80010003000000046e6f7065000000020b00010000000e756e6b6e6f776e206d6574686f64080002000000' +
        '0100',
    );
  });

  test('S8 an unknown method whose arguments are broken', async () => {
    expect(await answer(serviceOf({}), '[1,"getVersion",1,3,{"1":{"rec":', 'json')).toBe(500);
  });

  test('S3 a negative length in TBinary arguments is EXCEPTION 7, in the header S8', async () => {
    const { calls, methods } = recorder();
    const service = serviceOf(methods);
    const head = '80010001 00000007 6765744a6f6273 00000009';
    const negative = hex(`${head} 0b0001 ffffffff 00`);
    const message = [
      1,
      'getJobs',
      3,
      9,
      { '1': { str: expect.any(String) as string }, '2': { i32: 7 } },
    ];
    const body = (await answer(service, negative, 'binary', 'json')) as Buffer;
    expect(JSON.parse(body.toString())).toEqual(message);
    expect(await answer(service, hex('80010001 ffffffff 00000009 00'), 'binary')).toBe(500);
    expect(calls).toEqual([]);
  });

  test('the seqid and the name are echoed exactly, negative and non-ASCII too', async () => {
    const service = serviceOf({ getJobs: async () => ok() });
    for (const seqid of [0, 1, -1, 2147483647, -2147483648]) {
      const [, name, , echoed] = (await jsonAnswer(
        service,
        `[1,"getJobs",1,${seqid},{}]`,
      )) as unknown[];
      expect([name, echoed]).toEqual(['getJobs', seqid]);
    }
    const odd = (await jsonAnswer(service, '[1,"gr\u00fc\u00df\\u0007e",1,1,{}]')) as unknown[];
    expect(odd.slice(0, 4)).toEqual([1, 'gr\u00fc\u00df\u0007e', 3, 1]);
  });

  test('the old framing of TBinary is read and answered in the strict one', async () => {
    const { calls, methods } = recorder();
    const call = hex('00000007 6765744a6f6273 01 00000009 0b0001 00000001 72 00');
    const body = (await answer(serviceOf(methods), call, 'binary')) as Buffer;
    expect(calls).toEqual([{ method: 'getJobs', args: { ownerRole: 'r' } }]);
    expect(body.subarray(0, 4)).toEqual(hex('80010002'));
    expect(body.toString('latin1', 8, 15)).toBe('getJobs');
  });

  test('a method of the IDL that nobody serves says so', async () => {
    expect(await replyTo({}, '[1,"snapshot",1,0,{}]')).toEqual({
      code: 2,
      details: [{ '1': { str: 'snapshot is not implemented yet' } }],
      result: undefined,
    });
  });

  test('a method that the IDL lacks is a mistake at start', () => {
    expect(() => serviceOf({ getVersion: async () => ok() })).toThrow(/getVersion/);
  });

  test('the message type of a request is not looked at', async () => {
    for (const type of [1, 2, 3, 4, 99]) {
      const answered = await jsonAnswer(
        serviceOf({ getJobs: async () => ok() }),
        `[1,"getJobs",${type},0,{}]`,
      );
      expect(reply(answered).code).toBe(1);
    }
  });

  test('arguments reach their names although their ids stand in another order', async () => {
    const { calls, methods } = recorder();
    const key = '{"rec":{"1":{"str":"r"},"2":{"str":"e"},"3":{"str":"n"}}}';
    await jsonAnswer(
      serviceOf(methods),
      `[1,"restartShards",1,0,{"3":{"set":["i32",1,4]},"5":${key}}]`,
    );
    expect(calls[0]!.args).toEqual({
      shardIds: [4],
      job: { role: 'r', environment: 'e', name: 'n' },
    });
  });

  test('another service with its own IDL and stubs can be served', async () => {
    class Processor {
      constructor(private readonly handler: { beat: (id: unknown, done: unknown) => void }) {}
      process_beat(_seqid: number, input: { skip(type: number): void; readMessageEnd(): void }) {
        input.skip(12);
        input.readMessageEnd();
        this.handler.beat('u1', () => undefined);
      }
    }
    const schema = auroraSchema();
    const beat = {
      name: 'beat',
      returns: { kind: 'struct', name: 'Response' },
      args: [{ id: 1, name: 'id', type: { kind: 'string' }, requiredness: 'default' }],
    } as const;
    const api: ServedApi = {
      schema: {
        ...schema,
        services: new Map([['Beats', { name: 'Beats', methods: new Map([['beat', beat]]) }]]),
      },
      service: 'Beats',
      Processor,
    };
    const seen: unknown[] = [];
    const service = serviceOf(
      {
        beat: async (args) => {
          seen.push(args);
          return ok();
        },
      },
      { api },
    );
    expect(reply(await jsonAnswer(service, '[1,"beat",1,0,{"1":{"str":"u1"}}]')).code).toBe(1);
    expect(seen).toEqual([{ id: 'u1' }]);
  });

  test('onCall learns of calls that ran or were refused, with their time, and of nothing else', async () => {
    const seen: [string, string, number][] = [];
    const service = serviceOf(
      { getJobs: async () => ok() },
      { onCall: (...call) => seen.push(call) },
    );
    await jsonAnswer(service, GET_JOBS);
    await jsonAnswer(service, '[1,"nope",1,0,{}]');
    await jsonAnswer(service, '[1,');
    await jsonAnswer(service, '[1,"getJobs",1,0,{"1":{"str":"\\u0000"}}]');
    expect(seen.map(([method, code]) => [method, code])).toEqual([
      ['getJobs', 'OK'],
      ['getJobs', 'INVALID_REQUEST'],
    ]);
    for (const [, , nanos] of seen) expect(nanos).toBeGreaterThan(0);
  });
});

describe('long results', () => {
  const tasks = (count: number) =>
    Array.from({ length: count }, (_, i) => ({
      assignedTask: { taskId: `t${i}`, instanceId: i, task: { priority: i } },
      status: 'RUNNING',
      taskEvents: [{ timestamp: i, status: 'PENDING' }],
    }));

  test('are the same bytes as if written in one go', () => {
    const fromCore = createFromCore(auroraSchema());
    const record = { responseCode: 'OK', result: { scheduleStatusResult: { tasks: tasks(150) } } };
    for (const writer of [() => new BinaryWriter(), () => new JsonWriter()]) {
      const [atOnce, inSteps] = [writer(), writer()];
      fromCore.writeStruct(atOnce, 'Response', record);
      const steps = [...fromCore.writeInSteps(inSteps, 'Response', record)];
      expect(steps).toHaveLength(150);
      expect(inSteps.finish().equals(atOnce.finish())).toBe(true);
    }
  });

  test('let other calls through while they are written', async () => {
    const service = serviceOf({
      getTasksStatus: async () => ok({ scheduleStatusResult: { tasks: tasks(20_000) } }),
      pulseJobUpdate: async () => ok(),
    });
    const order: string[] = [];
    const long = service
      .handle(Buffer.from('[1,"getTasksStatus",1,0,{}]'), 'json', 'json', CALLER)
      .then(() => order.push('long'));
    await new Promise((resolve) => setImmediate(resolve));
    await service
      .handle(Buffer.from('[1,"pulseJobUpdate",1,0,{}]'), 'json', 'json', CALLER)
      .then(() => order.push('pulse'));
    await long;
    expect(order).toEqual(['pulse', 'long']);
  });

  test('a config that many tasks share is written alike each time', async () => {
    const shared = {
      job: { role: 'r', environment: 'e', name: 'n' },
      priority: 3,
      executorConfig: { name: 'x', data: '"\u00fc\u0001"' },
    };
    const answerOf = async (protocol: 'binary' | 'json', count: number) => {
      const list = Array.from({ length: count }, () => ({ assignedTask: { task: shared } }));
      const service = serviceOf({
        getTasksStatus: async () => ok({ scheduleStatusResult: { tasks: list } }),
      });
      return (await answer(service, '[1,"getTasksStatus",1,0,{}]', 'json', protocol)) as Buffer;
    };
    for (const protocol of ['binary', 'json'] as const) {
      const pieces = (await answerOf(protocol, 5)).toString('latin1').split('\u00c3\u00bc');
      expect(pieces).toHaveLength(6);
      expect(new Set(pieces.slice(1, -1)).size).toBe(1);
    }
  });
});
