/** What every answer has, whatever the RPC (rpc.md §1), over HTTP with a real engine and Postgres. */
import { callCounter } from '../../src/http/request-counter.js';
import { Metrics } from '../../src/observe/metrics.js';
import type { RpcMethod } from '../../src/rpc/outcome.js';
import { createMethods } from '../../src/rpc/methods.js';
import { AuroraClient } from '../../src/wire/client.js';
import type { PlainRecord } from '../../src/wire/presence.js';
import { auroraShim, createAuroraService } from '../../src/wire/service.js';
import { FlakyPostgres } from '../support/flaky-postgres.js';
import type { Served } from '../wire/support.js';
import { serve } from '../wire/support.js';
import { KEY, NOWHERE, RpcWorld, aRequest, jobOf, version } from './support.js';

const CONFIGURED = { clusterName: 'configured', statsUrlPrefix: 'http://stats/' };
const OTHER = { ...KEY, name: 'other' };

let postgres: FlakyPostgres;
let rpc: RpcWorld;
let served: Served;
let client: AuroraClient;

/** @param change makes other methods of the real ones */
async function start(change: (method: RpcMethod) => RpcMethod = (method) => method): Promise<void> {
  postgres = await FlakyPostgres.listen();
  rpc = await RpcWorld.create({ through: postgres });
  const { engine, stats } = rpc.world;
  const settings = { unknownPulseResponse: 'INVALID_REQUEST' } as const;
  const methods = createMethods({ engine, limits: rpc.limits, settings, stats });
  const service = createAuroraService(
    Object.fromEntries(Object.entries(methods).map(([name, run]) => [name, change(run)])),
    {
      api: auroraShim(),
      serverInfo: CONFIGURED,
      onCall: callCounter(stats, new Metrics(stats)),
    },
  );
  served = await serve({ service, maxBodyBytes: 1 << 20 });
  client = new AuroraClient({ url: `http://127.0.0.1:${served.port}` });
}

afterEach(async () => {
  client.close();
  await served[Symbol.asyncDispose]();
  await rpc.close();
});

const request = aRequest({}, { taskConfig: version('new'), instanceCount: 1 });

/** Calls that ask the store, with arguments that are OK. */
const READS: Readonly<Record<string, PlainRecord>> = {
  getRoleSummary: {},
  getJobSummary: { role: KEY.role },
  getTasksStatus: { query: {} },
  getTasksWithoutConfigs: { query: {} },
  getPendingReason: { query: {} },
  getConfigSummary: { job: { ...KEY } },
  getJobs: { ownerRole: KEY.role },
  getQuota: { ownerRole: KEY.role },
  getJobUpdateSummaries: { jobUpdateQuery: { role: KEY.role } },
  getJobUpdateDetails: { query: { role: KEY.role } },
  getJobUpdateDiff: { request: { ...request } },
};
const cron = jobOf({ job: { ...KEY, name: 'cron' } }, 1, { cronSchedule: '0 0 1 7 *' });
const WRITES: Readonly<Record<string, PlainRecord>> = {
  createJob: { description: { ...jobOf({ job: OTHER }) } },
  scheduleCronJob: { description: { ...cron } },
  killTasks: { job: { ...KEY } },
  restartShards: { job: { ...KEY }, shardIds: [0] },
  addInstances: { key: { jobKey: KEY, instanceId: 0 }, count: 1 },
  setQuota: {
    ownerRole: KEY.role,
    quota: { resources: [{ numCpus: 1 }, { ramMb: 1 }, { diskMb: 1 }] },
  },
  startJobUpdate: { request: { ...request }, message: 'go' },
};
const CALLS = Object.entries({ ...READS, ...WRITES });

/** Makes the call, which must be counted once under its code; returns the code and the details. */
async function counted(
  method: string,
  args: PlainRecord,
): Promise<[string, (string | undefined)[]]> {
  const before = rpc.world.stats.snapshot();
  const { responseCode, details } = await client.call(method, args);
  const now = rpc.world.stats.snapshot();
  const codes = Object.keys(now).filter((name) => name.startsWith('scheduler_thrift_response_'));
  const grown = codes.flatMap((name) => {
    const by = Number(now[name]) - Number(before[name] ?? 0);
    return by === 0 ? [] : [[name.slice('scheduler_thrift_response_'.length), by]];
  });
  expect(grown).toEqual([[responseCode, 1]]);
  return [responseCode, details.map(({ message }) => message)];
}

describe('RPC-138', () => {
  test('a store that is away is ERROR_TRANSIENT of any RPC, which changed nothing', async () => {
    await start();
    await rpc.running(1, version('old'));
    const tasks = await rpc.world.tasks(KEY);
    postgres.goAway();
    for (const [method, args] of CALLS) {
      const [code, details] = await counted(method, args);
      expect([method, code, details]).toEqual([method, 'ERROR_TRANSIENT', [expect.any(String)]]);
    }
    postgres.comeBack();
    expect(await rpc.world.tasks(KEY)).toEqual(tasks);
    for (const table of ['cron_jobs', 'quotas', 'job_updates']) {
      expect(await rpc.world.sql(`SELECT * FROM ${table}`)).toEqual([]);
    }
    // The same bytes are good afterwards.
    for (const [method, args] of Object.entries(READS)) {
      expect([method, (await counted(method, args))[0]]).toEqual([method, 'OK']);
    }
    expect((await counted('killTasks', WRITES['killTasks'] ?? {}))[0]).toBe('OK');
  });

  test('any other failure is ERROR of any RPC, with its text, and the server goes on', async () => {
    await start();
    await rpc.running(1, version('old'));
    await rpc.world.sql('ALTER SCHEMA public RENAME TO elsewhere');
    for (const [method, args] of CALLS) {
      const [code, details] = await counted(method, args);
      expect([method, code, details]).toEqual([method, 'ERROR', [expect.stringMatching(/exist/)]]);
    }
    await rpc.world.sql('ALTER SCHEMA elsewhere RENAME TO public');
    for (const [method, args] of Object.entries(READS)) {
      expect([method, (await counted(method, args))[0]]).toEqual([method, 'OK']);
    }
  });
});

test('RPC-139 serverInfo is the configured one on every answer, whatever the method put there', async () => {
  const foreign = { clusterName: 'foreign', statsUrlPrefix: 'foreign' };
  await start((run) => async (args, caller) => ({
    ...(await run(args, caller)),
    serverInfo: foreign,
  }));
  await rpc.running(1, version('old'));
  const codes = new Set<string>();
  const answered = async (calls: readonly (readonly [string, PlainRecord])[]): Promise<void> => {
    for (const [method, args] of calls) {
      const answer = await client.call(method, args);
      codes.add(answer.responseCode);
      expect(answer).toMatchObject({ serverInfo: CONFIGURED });
      expect(JSON.stringify(answer)).not.toContain('foreign');
    }
  };
  // With arguments, and without: refused.
  await answered(CALLS);
  // One is being updated now, the other exists.
  for (const job of [KEY, OTHER]) {
    await answered([['createJob', { description: { ...jobOf({ job }) } }]]);
  }
  await answered(CALLS.map(([method]) => [method, {}]));
  postgres.goAway();
  await answered(CALLS);
  postgres.comeBack();
  expect([...codes].sort()).toEqual([
    ...['ERROR', 'ERROR_TRANSIENT', 'INVALID_REQUEST', 'JOB_UPDATING_ERROR', 'OK'],
  ]);
});

describe('RPC-140', () => {
  const MEASURED = [
    ['getRoleSummary', 1],
    ['getJobSummary', 2],
    ['getTasksStatus', 4],
    ['getTasksWithoutConfigs', 4],
    ['getPendingReason', 1],
    ['getConfigSummary', 1],
    ['getJobs', 2],
    ['getJobUpdateSummaries', 1],
    ['getJobUpdateDetails', 1],
  ] as const;

  test.each(MEASURED)(
    '%s adds the %d it found to its counter, and nothing when it fails',
    async (method, size) => {
      await start();
      await rpc.running(3, version('old'));
      await rpc.place({ 0: version('old', { job: OTHER, constraints: [NOWHERE] }) });
      await rpc.startUpdate(
        aRequest({ blockIfNoPulsesAfterMs: 60_000 }, { taskConfig: version('new') }),
      );
      const name = `scheduler_thrift_workload_${method}`;
      const before = rpc.stat(name);
      const args = READS[method] ?? {};
      expect((await counted(method, args))[0]).toBe('OK');
      expect(rpc.stat(name) - before).toBe(size);
      await rpc.world.sql('ALTER SCHEMA public RENAME TO elsewhere');
      expect((await counted(method, args))[0]).toBe('ERROR');
      await rpc.world.sql('ALTER SCHEMA elsewhere RENAME TO public');
      expect(rpc.stat(name) - before).toBe(size);
      expect((await counted(method, args))[0]).toBe('OK');
      expect(rpc.stat(name) - before).toBe(2 * size);
    },
  );
});
