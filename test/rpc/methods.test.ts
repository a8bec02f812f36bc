/** The set of methods as a whole: their names, what they do with bad arguments, and the wire in front. */
import { createMethods } from '../../src/rpc/methods.js';
import { auroraSchema } from '../../src/wire/idl.js';
import { methodsOf } from '../../src/wire/schema.js';
import { createAuroraService } from '../../src/wire/service.js';
import { createToCore } from '../../src/wire/to-core.js';
import { newTestDir } from '../support/server-process.js';
import { KEY, RpcWorld, jobOf } from './support.js';

const READS_WITHOUT_ARGUMENTS = ['getJobs', 'getJobSummary', 'getRoleSummary', 'getTierConfigs'];
/** What needs no arguments, or none that say anything. */
const WITHOUT_ARGUMENTS = [...READS_WITHOUT_ARGUMENTS, 'triggerImplicitTaskReconciliation'];
const READS_OF_ANYTHING = [
  ...['getTasksStatus', 'getTasksWithoutConfigs', 'getPendingReason', 'getJobUpdateSummaries'],
];
/** Calls without arguments that are always OK here. */
const NEED_NOTHING = ['performBackup', 'listBackups', 'snapshot', 'unloadRecovery'];
/** An unset query is an empty one to them; here nothing is staged. */
const NEED_A_STAGED_BACKUP = ['queryRecovery', 'deleteRecoveryTasks', 'commitRecovery'];
const NAMES = [
  ...NEED_NOTHING,
  ...NEED_A_STAGED_BACKUP,
  ...['forceTaskState', 'pruneTasks', 'stageRecovery'],
  ...WITHOUT_ARGUMENTS,
  ...READS_OF_ANYTHING,
  ...['abortJobUpdate', 'createJob', 'getConfigSummary', 'getJobUpdateDetails', 'getJobUpdateDiff'],
  ...['killTasks', 'pauseJobUpdate', 'populateJobConfig', 'pulseJobUpdate', 'resumeJobUpdate'],
  ...['rollbackJobUpdate', 'startJobUpdate', 'restartShards', 'addInstances'],
  ...['scheduleCronJob', 'replaceCronTemplate', 'descheduleCronJob', 'startCronJob'],
  ...['getQuota', 'setQuota', 'triggerExplicitTaskReconciliation'],
  ...['startMaintenance', 'drainHosts', 'slaDrainHosts', 'maintenanceStatus', 'endMaintenance'],
];

let rpc: RpcWorld;

beforeAll(async () => {
  const dir = newTestDir('methods');
  rpc = await RpcWorld.create({
    settings: { backups: { dir, intervalMs: 3_600_000, maxSaved: 1, clusterName: 'c' } },
  });
});

afterAll(async () => {
  await rpc.close();
});

function methods() {
  return createMethods({
    engine: rpc.world.engine,
    limits: rpc.limits,
    settings: { unknownPulseResponse: 'INVALID_REQUEST' },
    stats: rpc.world.stats,
  });
}

test('there are exactly the methods of this version, each in the IDL', () => {
  expect(Object.keys(methods()).sort()).toEqual([...NAMES].sort());
  const service = createAuroraService(methods(), {
    serverInfo: { clusterName: 'c', statsUrlPrefix: '' },
  });
  expect(typeof service.handle).toBe('function');
});

test.each(NAMES)('%s without arguments answers, and an error has a text', async (name) => {
  const { code, details, result } = await rpc.call(name);
  if ([...WITHOUT_ARGUMENTS, ...NEED_NOTHING].includes(name)) {
    expect({ code, details }).toEqual({ code: 'OK', details: [] });
  } else if (NEED_A_STAGED_BACKUP.includes(name)) {
    expect({ code, details }).toEqual({ code: 'ERROR', details: ['no backup is staged'] });
  } else {
    expect({ code, details, result }).toEqual({
      code: 'ERROR',
      details: [expect.stringMatching(/ must be set$/)],
    });
  }
});

test.each(NAMES)(
  '%s with empty structs names a field and a rule, or finds nothing',
  async (name) => {
    const schema = auroraSchema();
    const shape = methodsOf(schema, 'AuroraAdmin').get(name)!;
    const empty = shape.args.map(({ type }) => (type.kind === 'struct' ? {} : undefined));
    const { code, details } = await rpc.call(name, createToCore(schema).args(shape)(empty));
    const isFine = [...WITHOUT_ARGUMENTS, ...READS_OF_ANYTHING, ...NEED_NOTHING];
    const others = ['getJobUpdateDetails', 'pruneTasks', 'triggerExplicitTaskReconciliation'];
    if ([...isFine, ...others].includes(name)) {
      expect({ code, details }).toEqual({ code: 'OK', details: [] });
    } else if (NEED_A_STAGED_BACKUP.includes(name)) {
      expect({ code, details }).toEqual({ code: 'ERROR', details: ['no backup is staged'] });
    } else {
      expect(['ERROR', 'INVALID_REQUEST']).toContain(code);
      expect(details).toEqual([expect.stringMatching(/ must | missing|needs|only services/)]);
      expect(details[0]).not.toMatch(/undefined|Cannot read/);
    }
  },
);

test('a job goes from the bytes of a client to Postgres and back', async () => {
  const service = createAuroraService(methods(), {
    serverInfo: { clusterName: 'c', statsUrlPrefix: '' },
  });
  const send = async (method: string, args: object): Promise<string> => {
    const body = Buffer.from(JSON.stringify([1, method, 1, 7, args]));
    const answer = await service.handle(body, 'json', 'json', { user: 'UNSECURE' });
    if (!('body' in answer)) throw new Error(JSON.stringify(answer));
    return answer.body.toString();
  };
  const { role, environment, name } = jobOf().key!;
  const key = { rec: { 1: { str: role }, 2: { str: environment }, 3: { str: name } } };
  const resources = [{ 1: { dbl: 0.5 } }, { 2: { i64: 64 } }, { 3: { i64: 64 } }];
  const task = {
    28: key,
    25: { rec: { 1: { str: 'AuroraExecutor' }, 2: { str: '{"é": 1}' } } },
    32: { set: ['rec', 3, ...resources] },
  };
  const job = { 9: key, 8: { i32: 2 }, 6: { rec: task } };
  expect(await send('createJob', { 1: { rec: job } })).toMatch(/^\[1,"createJob",2,7,/);
  const found = await send('getTasksStatus', {
    1: { rec: { 11: { set: ['rec', 1, key.rec] }, 13: { i32: 1 } } },
  });
  expect(found).toContain('{"1":{"str":"AuroraExecutor"},"2":{"str":"{\\"é\\": 1}"}}');
  expect((await rpc.ok('getTasksStatus', { query: { jobKeys: [KEY] } })).tasks).toHaveLength(2);
});
