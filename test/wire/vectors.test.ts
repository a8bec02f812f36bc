/** The byte-level vectors of wire.md §9, and golden bytes of answers. */
import { ok, type Outcome } from '../../src/rpc/outcome.js';
import { answer, hex, jsonAnswer, recorder, reply, serviceOf } from './support.js';

const key = { role: 'r', environment: 'e', name: 'n' };
const V2 = hex('80010001 0000000e 676574526f6c6553756d6d617279 00000001 00');
const V3 =
  '800100020000000e676574526f6c6553756d6d617279000000010c0000080001000000010c00030c00110e00010c0000' +
  '000000000c00050b000100000001630b000300000000000f00060c000000000000';
const V4 =
  '[1,"getRoleSummary",2,1,{"0":{"rec":{"1":{"i32":1},"3":{"rec":{"17":{"rec":{"1":{"set":["rec",0]}}}}},"5":{"rec":{"1":{"str":"c"},"3":{"str":""}}},"6":{"lst":["rec",0]}}}}]';

async function argsOf(body: string | Buffer, protocol: 'json' | 'binary' = 'json') {
  const { calls, methods } = recorder();
  const answered = await answer(serviceOf(methods), body, protocol);
  expect(Buffer.isBuffer(answered)).toBe(true);
  return calls[0];
}

function answering(outcome: Outcome) {
  return serviceOf(recorder(() => outcome).methods);
}

describe('byte-level vectors (wire.md §9)', () => {
  const noRoles = answering(ok({ roleSummaryResult: { summaries: [] } }));

  test('V1 the UI asks for the roles', async () => {
    expect(await argsOf('[1,"getRoleSummary",1,0,{}]')).toEqual({
      method: 'getRoleSummary',
      args: {},
    });
  });

  test('V2, V3 a binary call and its answer, byte for byte', async () => {
    expect(((await answer(noRoles, V2, 'binary')) as Buffer).toString('hex')).toBe(V3);
  });

  test('V4 the same answer in TJSON, byte for byte', async () => {
    expect(String(await answer(noRoles, V2, 'binary', 'json'))).toBe(V4);
  });

  test('V5 gorealis kills a job with an empty set and an empty message', async () => {
    const call = await argsOf(
      '[1,"killTasks",1,1,{"4":{"rec":{"1":{"str":"r"},"2":{"str":"e"},"3":{"str":"n"}}},"5":{"set":["i32",0]},"6":{"str":""}}]',
    );
    expect(call).toEqual({ method: 'killTasks', args: { job: key, instances: [], message: '' } });
  });

  test('V6 Python kills all, with neither', async () => {
    const call = await argsOf(
      hex(
        '80010001000000096b696c6c5461736b73000000000c00040b000100000001720b000200000001650b0003000000016e0000',
      ),
      'binary',
    );
    expect(call).toEqual({ method: 'killTasks', args: { job: key } });
  });

  test('V7 gorealis asks for one summary', async () => {
    const call = await argsOf(
      '[1,"getJobUpdateSummaries",1,1,{"1":{"rec":{"3":{"rec":{"1":{"str":"r"},"2":{"str":"e"},"3":{"str":"n"}}},"6":{"i32":0},"7":{"i32":1}}}}]',
    );
    expect(call!.args).toEqual({ jobUpdateQuery: { jobKey: key, offset: 0, limit: 1 } });
  });

  test('V8 gorealis starts an update', async () => {
    const call = await argsOf(
      '[1,"startJobUpdate",1,3,{"1":{"rec":{"1":{"rec":{"7":{"tf":0},"11":{"i32":0},"13":{"i32":0},"17":{"rec":{"2":{"str":"r"}}},"20":{"set":["rec",0]},"28":{"rec":{"1":{"str":"r"},"2":{"str":"e"},"3":{"str":"n"}}},"29":{"rec":{"1":{"rec":{}}}},"32":{"set":["rec",3,{"1":{"dbl":0.5}},{"2":{"i64":64}},{"3":{"i64":128}}]}}},"2":{"i32":2},"3":{"rec":{"1":{"i32":1},"2":{"i32":0},"3":{"i32":0},"5":{"i32":45000},"6":{"tf":1},"7":{"set":["rec",0]},"8":{"tf":0}}}}},"3":{"str":""}}]',
    );
    expect(call).toEqual({
      method: 'startJobUpdate',
      args: {
        message: '',
        request: {
          instanceCount: 2,
          metadata: [],
          settings: {
            updateGroupSize: 1,
            maxPerInstanceFailures: 0,
            maxFailedInstances: 0,
            minWaitInInstanceRunningMs: 45000,
            rollbackOnFailure: true,
            updateOnlyTheseInstances: [],
            waitForBatchCompletion: false,
            blockIfNoPulsesAfterMs: 0,
            slaAware: false,
          },
          taskConfig: {
            job: key,
            owner: { user: 'r' },
            isService: false,
            priority: 0,
            maxTaskFailures: 0,
            production: false,
            constraints: [],
            taskLinks: {},
            metadata: [],
            mesosFetcherUris: [],
            container: { mesos: { volumes: [] } },
            resources: [{ numCpus: 0.5 }, { ramMb: 64 }, { diskMb: 128 }],
          },
        },
      },
    });
  });

  test('V9 gorealis asks for details by query', async () => {
    const call = await argsOf(
      '[1,"getJobUpdateDetails",1,4,{"2":{"rec":{"6":{"i32":0},"7":{"i32":0},"8":{"rec":{"1":{"rec":{"1":{"str":"r"},"2":{"str":"e"},"3":{"str":"n"}}},"2":{"str":"x"}}}}}}]',
    );
    expect(call!.args).toEqual({ query: { offset: 0, limit: 0, key: { job: key, id: 'x' } } });
  });

  test('V10 the UI lists updates that are not over', async () => {
    const call = await argsOf(
      '[1,"getJobUpdateSummaries",1,0,{"1":{"rec":{"5":{"set":["i32",6,0,1,2,3,9,10]},"7":{"i32":100}}}}]',
    );
    expect(call!.args).toEqual({
      jobUpdateQuery: {
        limit: 100,
        updateStatuses: [
          'ROLLING_FORWARD',
          'ROLLING_BACK',
          'ROLL_FORWARD_PAUSED',
          'ROLL_BACK_PAUSED',
          'ROLL_FORWARD_AWAITING_PULSE',
          'ROLL_BACK_AWAITING_PULSE',
        ],
      },
    });
  });

  test('V11 the UI’s malformed set is S8, and nothing is run', async () => {
    const { calls, methods } = recorder();
    const body =
      '[1,"getTasksWithoutConfigs",1,0,{"1":{"rec":{"5":{"set":["i32",1,2]},"10":{"set":["str",1,]}}}}]';
    expect(await answer(serviceOf(methods), body, 'json')).toBe(500);
    expect(calls).toEqual([]);
  });

  test('V12 a pulse and its answer, byte for byte', async () => {
    const pulse =
      '[1,"pulseJobUpdate",1,5,{"1":{"rec":{"1":{"rec":{"1":{"str":"r"},"2":{"str":"e"},"3":{"str":"n"}}},"2":{"str":"u1"}}}}]';
    expect((await argsOf(pulse))!.args).toEqual({ key: { job: key, id: 'u1' } });
    const service = answering(ok({ pulseJobUpdateResult: { status: 'OK' } }));
    expect(String(await answer(service, pulse, 'json'))).toBe(
      '[1,"pulseJobUpdate",2,5,{"0":{"rec":{"1":{"i32":1},"3":{"rec":{"25":{"rec":{"1":{"i32":1}}}}},"5":{"rec":{"1":{"str":"c"},"3":{"str":""}}},"6":{"lst":["rec",0]}}}}]',
    );
  });

  test('V13 an unknown method is EXCEPTION 1, echoed', async () => {
    const body = '[1,"getVersion",1,3,{"1":{"rec":{"4":{"str":"x"}}}}]';
    expect(await jsonAnswer(serviceOf({}), body)).toEqual([
      1,
      'getVersion',
      3,
      3,
      { '1': { str: expect.any(String) as string }, '2': { i32: 1 } },
    ]);
  });
});

describe('golden bytes of answers', () => {
  test('ERROR with one detail, in both protocols', async () => {
    const service = answering({ code: 'ERROR', details: ['no'] });
    expect(String(await answer(service, '[1,"snapshot",1,7,{}]', 'json'))).toBe(
      '[1,"snapshot",2,7,{"0":{"rec":{"1":{"i32":2},"5":{"rec":{"1":{"str":"c"},"3":{"str":""}}},"6":{"lst":["rec",1,{"1":{"str":"no"}}]}}}}]',
    );
    const binary = (await answer(service, '[1,"snapshot",1,7,{}]', 'json', 'binary')) as Buffer;
    expect(binary.toString('hex')).toBe(
      '8001000200000008736e617073686f7400000007' +
        '0c0000' +
        '08000100000002' +
        '0c00050b000100000001630b00030000000000' +
        '0f00060c000000010b0001000000026e6f00' +
        '0000',
    );
  });

  test('numbers, booleans, maps, enums and unions in TJSON', async () => {
    const service = answering(
      ok({
        getTierConfigResult: {
          defaultTierName: 'a',
          tiers: [{ name: 'a', settings: { preemptible: 'true' } }],
        },
      }),
    );
    expect(String(await answer(service, '[1,"getTierConfigs",1,0,{}]', 'json'))).toContain(
      '{"27":{"rec":{"1":{"str":"a"},"2":{"set":["rec",1,{"1":{"str":"a"},"2":{"map":["str","str",1,{"preemptible":"true"}]}}]}}}}',
    );
    const quota = answering(
      ok({
        getQuotaResult: {
          quota: { resources: [{ numCpus: 3.5 }, { ramMb: 2 ** 40 }, { diskMb: 0 }] },
        },
      }),
    );
    expect(reply(await jsonAnswer(quota, '[1,"getQuota",1,0,{}]')).result).toEqual({
      '5': {
        rec: {
          '1': {
            rec: {
              '4': {
                set: [
                  'rec',
                  3,
                  { '1': { dbl: 3.5 } },
                  { '2': { i64: 1099511627776 } },
                  { '3': { i64: 0 } },
                ],
              },
            },
          },
        },
      },
    });
  });
});
