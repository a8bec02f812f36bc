/** What becomes of single values on the way in and out (rpc.md §2, wire.md §4 and §5). */
import * as ttypes from '#thrift/aurora_types';
import { RefusedError } from '../../src/core/errors.js';
import { canonicalConfig, type TaskConfig } from '../../src/core/model/config.js';
import { ok } from '../../src/rpc/outcome.js';
import { createFromCore } from '../../src/wire/from-core.js';
import { auroraSchema } from '../../src/wire/idl.js';
import { JsonWriter } from '../../src/wire/tjson-writer.js';
import { createToCore } from '../../src/wire/to-core.js';
import { answer, jsonAnswer, recorder, reply, serviceOf } from './support.js';

const KEY = '{"rec":{"1":{"str":"r"},"2":{"str":"e"},"3":{"str":"n"}}}';
const key = { role: 'r', environment: 'e', name: 'n' };

/** The arguments a method gets for these TJSON fields, or the refusal's details. */
async function args(method: string, fields: string): Promise<unknown> {
  const { calls, methods } = recorder();
  const answered = await jsonAnswer(serviceOf(methods), `[1,"${method}",1,0,{${fields}}]`);
  if (answered === 500) return 500;
  const { code, details } = reply(answered);
  return code === 1 ? calls[0]!.args : { code, details };
}

const query = (fields: string) => args('getTasksStatus', `"1":{"rec":{${fields}}}`);
const config = async (fields: string) =>
  (
    (await args('createJob', `"1":{"rec":{"6":{"rec":{${fields}}}}}`)) as {
      description: { taskConfig: TaskConfig };
    }
  ).description.taskConfig;
const refusal = (message: string) => ({ code: 0, details: [{ '1': { str: message } }] });

describe('on the way in', () => {
  test('unset fields of a stored struct get zeroes and empty collections, others stay unset', async () => {
    expect(await config('')).toEqual({
      isService: false,
      priority: 0,
      maxTaskFailures: 0,
      production: false,
      resources: [],
      constraints: [],
      mesosFetcherUris: [],
      taskLinks: {},
      metadata: [],
      container: { mesos: { volumes: [] } },
    });
  });

  test('unset fields of a query stay unset, empty collections stay empty', async () => {
    expect(await query('')).toEqual({ query: {} });
    expect(await query('"4":{"set":["str",0]},"12":{"i32":0}')).toEqual({
      query: { taskIds: [], offset: 0 },
    });
    expect(await args('getJobUpdateSummaries', '"1":{"rec":{}}')).toEqual({ jobUpdateQuery: {} });
    expect(await args('triggerExplicitTaskReconciliation', '"1":{"rec":{}}')).toEqual({
      settings: {},
    });
  });

  test('absent arguments are absent, not zero', async () => {
    expect(await args('addInstances', '')).toEqual({});
    expect(await args('slaDrainHosts', '"1":{"rec":{}}')).toEqual({ hosts: {} });
  });

  test('an empty JobKey, Identity or JobUpdateKey is a missing one', async () => {
    expect(await args('getConfigSummary', '"1":{"rec":{}}')).toEqual({});
    expect(await args('pulseJobUpdate', '"1":{"rec":{}}')).toEqual({});
    expect(await args('pulseJobUpdate', '"1":{"rec":{"1":{"rec":{}},"2":{"str":"u"}}}')).toEqual({
      key: { id: 'u' },
    });
    expect(await config('"17":{"rec":{}},"28":{"rec":{}}')).not.toHaveProperty('owner');
    expect(await args('getConfigSummary', '"1":{"rec":{"1":{"str":""}}}')).toEqual({
      job: { role: '' },
    });
  });

  test('an empty key in a filter stays, lest the filter become none', async () => {
    expect(await query(`"11":{"set":["rec",2,{},{}]}`)).toEqual({ query: { jobKeys: [{}] } });
  });

  test('an unknown enum number is unset in a field and matches nothing in a set', async () => {
    expect(await args('forceTaskState', '"1":{"str":"t"},"2":{"i32":99}')).toEqual({ taskId: 't' });
    expect(await query('"5":{"set":["i32",4,2,99,-1,99]}')).toEqual({
      query: { statuses: ['RUNNING', '#99', '#-1'] },
    });
  });

  test('sets lose duplicates by value, whatever order their own sets are in', async () => {
    const zone = (values: string) =>
      `{"1":{"str":"zone"},"2":{"rec":{"1":{"rec":{"1":{"tf":0},"2":{"set":["str",${values}]}}}}}}`;
    const fields = [
      '"32":{"set":["rec",5,{"1":{"dbl":1}},{"1":{"dbl":1.0}},{"2":{"i64":1}},{"3":{"i64":1}},{"2":{"i64":1}}]}',
      `"20":{"set":["rec",3,${zone('2,"a","b"')},${zone('2,"b","a"')},${zone('1,"a"')}]}`,
    ];
    const { resources, constraints } = await config(fields.join(','));
    expect(resources).toEqual([{ numCpus: 1 }, { ramMb: 1 }, { diskMb: 1 }]);
    expect(constraints.map((c) => c.constraint?.value?.values)).toEqual([['a', 'b'], ['a']]);
    expect(await args('killTasks', '"5":{"set":["i32",4,3,1,3,1]}')).toEqual({ instances: [3, 1] });
  });

  test('lists keep their order and their duplicates', async () => {
    const volume = (path: string) => `{"1":{"str":"${path}"},"3":{"i32":2}}`;
    const volumes = `["rec",3,${volume('/b')},${volume('/a')},${volume('/b')}]`;
    const { container } = await config(`"29":{"rec":{"1":{"rec":{"2":{"lst":${volumes}}}}}}`);
    expect(container!.mesos!.volumes.map((v) => [v.containerPath, v.mode])).toEqual([
      ['/b', 'RO'],
      ['/a', 'RO'],
      ['/b', 'RO'],
    ]);
  });

  test('a union without a known member is a record without members, and it stays in its set', async () => {
    expect((await config('"29":{"rec":{}}')).container).toEqual({});
    expect((await config('"29":{"rec":{"9":{"rec":{}}}}')).container).toEqual({});
    expect((await config('"32":{"set":["rec",2,{},{"9":{"i64":1}}]}')).resources).toEqual([{}]);
    expect((await config('"35":{"rec":{}}')).slaPolicy).toEqual({});
  });

  test('a union with several members keeps them for validation to see', async () => {
    const both = await config('"29":{"rec":{"1":{"rec":{}},"2":{"rec":{"1":{"str":"i"}}}}}');
    expect(both.container).toEqual({
      mesos: { volumes: [] },
      docker: { image: 'i', parameters: [] },
    });
  });

  test('unknown fields and fields of another type are skipped, as in old clients’ requests', async () => {
    const session = '"2":{"rec":{"4":{"str":"UNAUTHENTICATED"},"5":{"str":"x"}}}';
    const lock = '"3":{"rec":{"1":{"rec":{"1":' + KEY + '}},"2":{"str":"t"},"4":{"i64":1}}}';
    const all =
      '"99":{"lst":["map",1,["i32","lst",1,{"7":["dbl",2,1.5,"NaN"]}]]},"98":{"i8":1},"97":{"i16":2}';
    expect(await args('killTasks', `${session},${lock},${all},"4":${KEY}`)).toEqual({ job: key });
    expect(await args('killTasks', `"4":${KEY},"5":{"lst":["i32",1,1]},"6":{"i32":1}`)).toEqual({
      job: key,
    });
    expect(await config('"29":{"str":"x"}')).toMatchObject({ container: { mesos: {} } });
  });

  test('text that Postgres cannot hold is refused by the name of its field', async () => {
    const at = (json: string) => args('createJob', `"1":{"rec":{"6":{"rec":{${json}}}}}`);
    const problem = 'holds U+0000 or half of a surrogate pair';
    expect(await at('"25":{"rec":{"2":{"str":"a\\u0000b"}}}')).toEqual(
      refusal(`description.taskConfig.executorConfig.data ${problem}`),
    );
    expect(await at('"27":{"set":["rec",2,{},{"1":{"str":"\\ud800"}}]}')).toEqual(
      refusal(`description.taskConfig.metadata[1].key ${problem}`),
    );
    expect(await at('"22":{"map":["str","str",1,{"\\udc00x":"y"}]}')).toEqual(
      refusal(`description.taskConfig.taskLinks.key ${problem}`),
    );
    expect(await at('"22":{"map":["str","str",1,{"x":"\\u0000"}]}')).toEqual(
      refusal(`description.taskConfig.taskLinks.x ${problem}`),
    );
    expect(await args('killTasks', '"6":{"str":"\\ud800\\ud800"}')).toEqual(
      refusal(`message ${problem}`),
    );
    expect(await args('killTasks', '"6":{"str":"\\ud83d\\ude00 \\u0001\\u007f"}')).toEqual({
      message: '\ud83d\ude00 \u0001\u007f',
    });
  });

  test('control characters are read as they are, as Apache’s Python and npm’s thrift write them', async () => {
    expect(await args('killTasks', '"6":{"str":"\u001b[31m\n\t"}')).toEqual({
      message: '\u001b[31m\n\t',
    });
    expect(await args('killTasks', '"6":{"str":"\u001b\\u0041\\"\u00fc\u0001"}')).toEqual({
      message: '\u001bA"\u00fc\u0001',
    });
    expect(await args('killTasks', '"6":{"str":"\u0000"}')).toMatchObject({ code: 0 });
  });

  test('an i64 beyond 2^53 is refused by name, at the bound it is exact', async () => {
    const ram = (value: string) =>
      args('setQuota', `"2":{"rec":{"4":{"set":["rec",1,{"2":{"i64":${value}}}]}}}`);
    expect(await ram('9007199254740991')).toEqual({
      quota: { resources: [{ ramMb: 9007199254740991 }] },
    });
    expect(await ram('-9007199254740991')).toEqual({
      quota: { resources: [{ ramMb: -9007199254740991 }] },
    });
    for (const value of ['9007199254740992', '9223372036854775807', '-9223372036854775808']) {
      expect(await ram(value)).toEqual(
        refusal(`quota.resources[0].ramMb is ${value}, beyond 2^53`),
      );
    }
    expect(await ram('9223372036854775808')).toBe(500);
    expect(await ram('99999999999999999999')).toBe(500);
  });

  test('a double that is no number is refused by name', async () => {
    for (const value of ['NaN', 'Infinity', '-Infinity']) {
      expect(
        await args('setQuota', `"2":{"rec":{"4":{"set":["rec",1,{"1":{"dbl":"${value}"}}]}}}`),
      ).toEqual(refusal(`quota.resources[0].numCpus is ${value}`));
    }
  });

  test('a map is keyed by its own keys only; the one a plain object cannot hold is refused', async () => {
    const links = (json: string) =>
      args('createJob', `"1":{"rec":{"6":{"rec":{"22":{"map":["str","str",${json}]}}}}}`);
    const taken = (await links('2,{"constructor":"a","toString":"b"}')) as {
      description: { taskConfig: TaskConfig };
    };
    const { taskLinks } = taken.description.taskConfig;
    expect(Object.getPrototypeOf(taskLinks)).toBeNull();
    expect(Object.entries(taskLinks)).toEqual([
      ['constructor', 'a'],
      ['toString', 'b'],
    ]);
    expect(await links('1,{"__proto__":"a"}')).toEqual(
      refusal('a map must not have the key __proto__'),
    );
    expect(({} as Record<string, unknown>)['a']).toBeUndefined();
  });

  test('equal configs come out equal, however they were sent', async () => {
    const one = await config(
      '"28":' + KEY + ',"7":{"tf":0},"32":{"set":["rec",2,{"1":{"dbl":1}},{"2":{"i64":2}}]}',
    );
    const other = await config(
      '"32":{"set":["rec",3,{"2":{"i64":2}},{"1":{"dbl":1}},{"1":{"dbl":1}}]},"20":{"set":["rec",0]},"28":' +
        KEY +
        ',"22":{"map":["str","str",0,{}]},"29":{"rec":{"1":{"rec":{}}}}',
    );
    expect(canonicalConfig(one)).toBe(canonicalConfig(other));
  });

  test('shared defaults cannot be changed by whoever gets them', async () => {
    const { resources, taskLinks, container } = await config('');
    for (const shared of [resources, taskLinks, container!.mesos!.volumes]) {
      expect(Object.isFrozen(shared)).toBe(true);
    }
  });

  test('a struct that the stubs have read can be converted by its name', () => {
    const toCore = createToCore(auroraSchema());
    const event = new ttypes.TaskEvent();
    event.status = ttypes.ScheduleStatus.LOST;
    event.message = 'm';
    expect(toCore.struct('TaskEvent', event)).toEqual({
      timestamp: 0,
      status: 'LOST',
      message: 'm',
    });
    const bad = new ttypes.TaskEvent();
    bad.message = '\0';
    expect(() => toCore.struct('TaskEvent', bad)).toThrow(RefusedError);
    expect(() => toCore.struct('TaskEvent', bad)).toThrow(/^TaskEvent\.message /);
  });
});

describe('on the way out', () => {
  const fromCore = createFromCore(auroraSchema());
  const json = (struct: string, record: Record<string, unknown>): unknown => {
    const out = new JsonWriter();
    fromCore.writeStruct(out, struct, record);
    return JSON.parse(out.finish().toString());
  };

  test('numbers, booleans and collections of stored structs are always there (§4)', () => {
    expect(json('TaskConfig', {})).toEqual({
      '7': { tf: 0 },
      '11': { i32: 0 },
      '13': { i32: 0 },
      '18': { tf: 0 },
      '20': { set: ['rec', 0] },
      '22': { map: ['str', 'str', 0, {}] },
      '27': { set: ['rec', 0] },
      '29': { rec: { '1': { rec: { '2': { lst: ['rec', 0] } } } } },
      '32': { set: ['rec', 0] },
      '33': { set: ['rec', 0] },
    });
    expect(json('JobUpdateSettings', { blockIfNoPulsesAfterMs: undefined })).toEqual({
      '1': { i32: 0 },
      '2': { i32: 0 },
      '3': { i32: 0 },
      '5': { i32: 0 },
      '6': { tf: 0 },
      '7': { set: ['rec', 0] },
      '8': { tf: 0 },
      '9': { i32: 0 },
      '10': { tf: 0 },
    });
    expect(json('PartitionPolicy', {})).toEqual({ '1': { tf: 0 }, '2': { i64: 0 } });
    expect(json('MesosFetcherURI', { value: '' })).toEqual({
      '1': { str: '' },
      '2': { tf: 0 },
      '3': { tf: 0 },
    });
    expect(json('AssignedTask', {})).toEqual({
      '5': { map: ['str', 'i32', 0, {}] },
      '6': { i32: 0 },
    });
    expect(json('GetJobUpdateDiffResult', {})).toEqual({
      '1': { set: ['rec', 0] },
      '2': { set: ['rec', 0] },
      '3': { set: ['rec', 0] },
      '4': { set: ['rec', 0] },
    });
  });

  test('nextCronRunMs is there for cron jobs only, and one member of the details result', () => {
    expect(json('JobSummary', {})).toEqual({});
    expect(json('JobSummary', { nextCronRunMs: 5 })).toEqual({ '3': { i64: 5 } });
    expect(json('GetJobUpdateDetailsResult', { detailsList: [] })).toEqual({
      '2': { lst: ['rec', 0] },
    });
    expect(json('GetJobUpdateDetailsResult', { details: {} })).not.toHaveProperty('2');
  });

  test('the result is there exactly when the outcome has one', async () => {
    const of = async (outcome: ReturnType<typeof ok>) =>
      (await jsonAnswer(serviceOf({ snapshot: async () => outcome }), '[1,"snapshot",1,0,{}]')) as [
        number,
        string,
        number,
        number,
        { '0': { rec: object } },
      ];
    expect(Object.keys((await of(ok()))[4]['0'].rec)).toEqual(['1', '5', '6']);
    expect(Object.keys((await of(ok({ listBackupsResult: {} })))[4]['0'].rec)).toEqual([
      '1',
      '3',
      '5',
      '6',
    ]);
  });

  test('executorConfig.data comes back byte for byte', async () => {
    const data = '{"a": "\u00e9\ud83d\ude00\\n\\u0041", "b":\t[ 1.0 ]}\r\n\u0007\u001b[31m';
    const { calls, methods } = recorder(({ args: { description } }) =>
      ok({ populateJobResult: { taskConfig: (description as { taskConfig: object }).taskConfig } }),
    );
    const sent = `[1,"populateJobConfig",1,0,{"1":{"rec":{"6":{"rec":{"25":{"rec":{"2":{"str":${JSON.stringify(data)}}}}}}}}}]`;
    const service = serviceOf(methods);
    const back = reply(await jsonAnswer(service, sent)).result as Record<
      '1',
      { rec: Record<'2', { rec: Record<'25', { rec: Record<'2', { str: string }> }> }> }
    >;
    expect(back['1'].rec['2'].rec['25'].rec['2'].str).toBe(data);
    expect(
      (calls[0]!.args['description'] as { taskConfig: TaskConfig }).taskConfig.executorConfig,
    ).toEqual({ data });
    const binary = (await answer(service, sent, 'json', 'binary')) as Buffer;
    expect(binary.includes(data)).toBe(true);
  });

  test('control characters are escaped, odd numbers quoted: every answer is JSON (§3.2)', async () => {
    const every = Array.from({ length: 0x100 }, (_, i) => String.fromCharCode(i)).join('');
    const text = `${every}\u2028\u2029\ud83d\ude00`;
    expect(json('ResponseDetail', { message: text })).toEqual({ '1': { str: text } });
    for (const [value, written] of [
      [NaN, 'NaN'],
      [Infinity, 'Infinity'],
      [-Infinity, '-Infinity'],
      [1, 1],
      [0.1, 0.1],
      [1e21, 1e21],
      [5e-324, 5e-324],
    ]) {
      expect(json('Resource', { numCpus: value })).toEqual({ '1': { dbl: written } });
    }
    // Half a pair, which only our own code could produce, is escaped and so still JSON.
    expect(json('ResponseDetail', { message: '\ud800' })).toEqual({ '1': { str: '\ud800' } });
  });
});
