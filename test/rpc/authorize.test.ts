/** Which permission each method asks for, and where the job in it comes from (operations.md §1.3). */
import { Processor } from '#thrift/AuroraAdmin';
import { parsePermission } from '../../src/core/access/permission.js';
import type { AccessFailure } from '../../src/rpc/authorize.js';
import { Authorization, scopeOf, servicesOf } from '../../src/rpc/authorize.js';
import type { Caller, Outcome } from '../../src/rpc/outcome.js';
import { ok } from '../../src/rpc/outcome.js';
import { auroraSchema, shimSchema } from '../../src/wire/idl.js';
import { createAuroraService } from '../../src/wire/service.js';

const SERVICES = servicesOf(shimSchema().services);
const JOB = { role: 'role', environment: 'env', name: 'name' };
const NOBODY: Caller = { user: 'UNSECURE', access: 'anonymous' };
const MANAGER = SERVICES.manager.map(({ name }) => name);
const ADMIN = SERVICES.admin.map(({ name }) => name);

const holding = (...grants: string[]): Caller => ({
  user: 'ann',
  access: grants.map(parsePermission),
});

let failures: AccessFailure[];
let authorization: Authorization;

beforeEach(() => {
  failures = [];
  authorization = new Authorization(SERVICES, (kind) => failures.push(kind));
});

/** The arguments of a manager's method about this job. */
function about(method: string, job: unknown): Record<string, unknown> {
  const shape = SERVICES.manager.find(({ name }) => name === method);
  const [argument, ...way] = scopeOf(shape!);
  return { [argument]: way.reduceRight((value, name) => ({ [name]: value }), job) };
}

describe('WIRE-021, OPS-010', () => {
  test('one argument of every method of the manager tells its job', () => {
    const scopes = SERVICES.manager.map((shape) => [shape.name, scopeOf(shape).join('.')]);
    expect(Object.fromEntries(scopes)).toEqual({
      createJob: 'description.key',
      scheduleCronJob: 'description.key',
      descheduleCronJob: 'job',
      startCronJob: 'job',
      restartShards: 'job',
      killTasks: 'job',
      addInstances: 'key.jobKey',
      replaceCronTemplate: 'config.key',
      startJobUpdate: 'request.taskConfig.job',
      pauseJobUpdate: 'key.job',
      resumeJobUpdate: 'key.job',
      abortJobUpdate: 'key.job',
      rollbackJobUpdate: 'key.job',
      pulseJobUpdate: 'key.job',
    });
  });

  test('no such argument, two of them, or a method nobody has thought about: no scheduler starts', () => {
    const key = { name: 'job', type: { kind: 'struct', name: 'JobKey' } };
    const other = { name: 'key', type: { kind: 'struct', name: 'JobUpdateKey' } };
    const manager = (args: readonly (typeof key)[]): (() => unknown) => {
      const services = { ...SERVICES, manager: [{ name: 'x', args }] };
      return () => new Authorization(services, () => undefined);
    };
    expect(manager([])).toThrow('no argument of x tells its job');
    expect(manager([key, other])).toThrow('more than one argument of x tells its job');
    const extension = [{ name: 'y', args: [] }];
    const build = (): unknown => new Authorization({ ...SERVICES, extension }, () => undefined);
    expect(build).toThrow('nothing says who may call y');
  });
});

test('14 methods of the manager and 18 of admin are protected, the 13 reads are open', () => {
  expect([MANAGER.length, ADMIN.length]).toEqual([14, 18]);
  const open = SERVICES.open.map(({ name }) => name);
  expect(open).toHaveLength(13);
  for (const name of [...open, 'getJobUpdateBlockers']) {
    expect(authorization.needsLogin(name, NOBODY)).toBe(false);
    expect(authorization.refusal(name, {}, NOBODY)).toBeUndefined();
  }
  const ours = ['heartbeatJobUpdate', 'pulseJobUpdates', 'noSuchMethod'];
  for (const name of [...MANAGER, ...ADMIN, ...ours]) {
    expect(authorization.needsLogin(name, NOBODY)).toBe(true);
    // Fails closed, should whoever calls have been forgotten.
    expect(authorization.needsLogin(name, { user: 'UNSECURE' })).toBe(true);
    expect(authorization.needsLogin(name, holding())).toBe(false);
  }
});

test.each(MANAGER)('%s asks for itself and the job, and for nothing less', (method) => {
  const target = `thrift.AuroraSchedulerManager:${method}`;
  const refusal = (caller: Caller, job: unknown): Outcome | undefined =>
    authorization.refusal(method, about(method, job), caller);
  for (const grant of ['*', `${target}:role:env:name`, target, `${target}:role`]) {
    expect(refusal(holding('x', grant), JOB)).toBeUndefined();
  }
  const others = ['thrift.AuroraAdmin', `${target}x`, `${target}:role:env:other`];
  expect(refusal(holding(...others), JOB)).toEqual({
    code: 'AUTH_FAILED',
    details: [`ann may not call ${method} for role/env/name.`],
  });
  expect(failures).toEqual(['permission']);
  for (const job of [undefined, {}, { ...JOB, name: undefined }, { ...JOB, role: 'a:b' }]) {
    const { code, details } = refusal(holding('*'), job) ?? ok();
    expect([code, details.length]).toEqual(['INVALID_REQUEST', 1]);
  }
  expect(failures).toEqual(['permission', ...Array<string>(4).fill('bad_job_key')]);
});

test.each(ADMIN)('%s asks for itself alone', (method) => {
  const target = `thrift.AuroraAdmin:${method}`;
  for (const grant of ['*', 'thrift.AuroraAdmin', target, `${target}:*`]) {
    expect(authorization.refusal(method, {}, holding(grant))).toBeUndefined();
  }
  const refused = authorization.refusal(method, {}, holding('thrift.AuroraSchedulerManager'));
  expect(refused).toEqual({ code: 'AUTH_FAILED', details: [`ann may not call ${method}.`] });
});

describe('in front of the methods', () => {
  const REPLY: Outcome = { code: 'OK', details: ["the method's own words"] };
  const JOB_JSON = '{"1":{"str":"role"},"2":{"str":"env"},"3":{"str":"name"}}';
  const NO_NAME = '{"1":{"str":"role"},"2":{"str":"env"}}';
  const KILL = `[1,"killTasks",1,0,{"4":{"rec":${JOB_JSON}}}]`;
  const KILL_NOTHING = `[1,"killTasks",1,0,{"4":{"rec":${NO_NAME}}}]`;
  const CREATE = `[1,"createJob",1,0,{"1":{"rec":{"9":{"rec":${JOB_JSON}}}}}]`;
  const CREATE_NOTHING = `[1,"createJob",1,0,{"1":{"rec":{"9":{"rec":${NO_NAME}}}}}]`;
  const SNAPSHOT = '[1,"snapshot",1,0,{}]';

  /** What comes back, the methods that ran, and what was counted. */
  async function send(
    body: string,
    caller: Caller,
  ): Promise<{ reply: string | number; ran: string[]; counted: string[] }> {
    const [ran, counted]: [string[], string[]] = [[], []];
    const run = (name: string) => async (): Promise<Outcome> => {
      ran.push(name);
      return REPLY;
    };
    const service = createAuroraService(
      { killTasks: run('killTasks'), createJob: run('createJob'), snapshot: run('snapshot') },
      {
        ...{ authorization, serverInfo: { clusterName: 'here', statsUrlPrefix: '' } },
        api: { schema: auroraSchema(), service: 'AuroraAdmin', Processor },
        onCall: (method, code) => counted.push(`${method} ${code}`),
      },
    );
    const result = await service.handle(Buffer.from(body), 'json', 'json', caller);
    if ('close' in result) throw new Error('closed');
    return { reply: result.status === 200 ? String(result.body) : result.status, ran, counted };
  }

  test.each([
    ['killTasks', KILL, KILL_NOTHING],
    ['createJob', CREATE, CREATE_NOTHING],
  ])(
    'OPS-009 %s: its own reply, AUTH_FAILED, or INVALID_REQUEST before any permission',
    async (method, good, bad) => {
      const permitted = await send(good, holding(`thrift.AuroraSchedulerManager:${method}:role`));
      expect(permitted.reply).toContain(REPLY.details[0]);
      expect(permitted.ran).toEqual([method]);

      const refused = await send(good, holding('thrift.AuroraAdmin'));
      expect([refused.ran, refused.counted]).toEqual([[], [`${method} AUTH_FAILED`]]);
      // Shim: refusals say which cluster they come from, as all answers do.
      expect(refused.reply).toMatch(/"1":\{"i32":4\},"5":\{"rec":\{"1":\{"str":"here"\}/);
      expect(failures).toEqual(['permission']);

      const asked = jest.spyOn(Set.prototype, 'has');
      const malformed = await send(bad, holding('*'));
      expect(asked).not.toHaveBeenCalledWith('*');
      asked.mockRestore();
      expect([malformed.ran, malformed.counted]).toEqual([[], [`${method} INVALID_REQUEST`]]);
      expect(malformed.reply).toMatch(/"1":\{"i32":0\},"5":\{"rec":\{"1":\{"str":"here"\}/);
    },
  );

  test('OPS-011 snapshot passes with its permission, and is AUTH_FAILED without', async () => {
    const permitted = await send(SNAPSHOT, holding('thrift.AuroraAdmin:snapshot'));
    expect([permitted.ran, permitted.counted]).toEqual([['snapshot'], ['snapshot OK']]);
    const refused = await send(SNAPSHOT, holding('thrift.AuroraAdmin:listBackups'));
    expect([refused.ran, refused.counted]).toEqual([[], ['snapshot AUTH_FAILED']]);
  });

  test('OPS-012 nobody gets no Thrift message; somebody goes on', async () => {
    for (const body of [KILL, KILL_NOTHING, SNAPSHOT]) {
      expect(await send(body, NOBODY)).toEqual({ reply: 401, ran: [], counted: [] });
    }
    expect((await send(KILL, holding('*'))).ran).toEqual(['killTasks']);
  });

  test('what no method takes is refused to nobody with 401, and said to others', async () => {
    // A lone surrogate, which Postgres cannot hold.
    const body = '[1,"killTasks",1,0,{"4":{"rec":{"1":{"str":"\\ud800"}}}}]';
    expect((await send(body, NOBODY)).reply).toBe(401);
    expect((await send(body, holding())).reply).toContain('"1":{"i32":0}');
  });

  test('a method that is not there yet is protected as if it were', async () => {
    const body = '[1,"pruneTasks",1,0,{}]';
    expect((await send(body, NOBODY)).reply).toBe(401);
    expect((await send(body, holding())).counted).toEqual(['pruneTasks AUTH_FAILED']);
    expect((await send(body, holding('*'))).counted).toEqual(['pruneTasks ERROR']);
  });
});
