/** HTTP BASIC and permissions over real HTTP, with methods that only note that they ran. */
import type { IncomingMessage } from 'node:http';
import { parseRealm } from '../../src/core/access/realm.js';
import { loadAfterAuth } from '../../src/http/auth-after.js';
import { basicCredentials, BasicAuthentication } from '../../src/http/authentication.js';
import { silentLog } from '../../src/observe/log.js';
import type { Login, Secured } from './secured.js';
import { as, atOnce, INI, NOBODY, secured, testFile, whenAsked, WRONG } from './secured.js';

const JOB = { role: 'role', environment: 'env', name: 'name' };
const ADS = { role: 'ads', environment: 'staging', name: 'job' };
const CLIENTS = [
  ['at once', atOnce],
  ['when asked', whenAsked],
] as const;

describe.each(CLIENTS)('a client that sends credentials %s', (how, client) => {
  let server: Secured;

  beforeEach(async () => {
    server = await secured();
  });

  afterEach(() => server[Symbol.asyncDispose]());

  const kill = (login: Login, job: object | undefined = JOB): Promise<string | number> =>
    client(server.url, login)('killTasks', job === undefined ? {} : { job });

  test('RPC-142, WIRE-016 reads are open, but credentials that do not log in are 401', async () => {
    expect(await atOnce(server.url)('getRoleSummary')).toBe('OK');
    expect(await client(server.url, as('root'))('getRoleSummary')).toBe('OK');
    expect(await client(server.url, WRONG)('getRoleSummary')).toBe(how === 'at once' ? 401 : 'OK');
    expect(server.calls).toHaveLength(how === 'at once' ? 2 : 3);
    expect([await atOnce(server.url)('killTasks', { job: JOB }), await kill(WRONG)]).toEqual([
      401, 401,
    ]);
  });

  test('OPS-002 alice and root may kill', async () => {
    expect([await kill(as('alice')), await kill(as('root'))]).toEqual(['OK', 'OK']);
    expect(server.calls.map(({ method, args }) => [method, args['job']])).toEqual([
      ['killTasks', JOB],
      ['killTasks', JOB],
    ]);
  });

  test('OPS-003, OPS-004, OPS-005, RPC-141, WIRE-017 a bad key is a bad request, whoever asks; only then comes the permission', async () => {
    const without = { role: 'role', environment: 'env' };
    for (const user of ['carol', 'backupsvc', 'root'] as const) {
      expect(await client(server.url, as(user))('killTasks')).toBe('INVALID_REQUEST');
      expect(await kill(as(user), without)).toBe('INVALID_REQUEST');
    }
    for (const user of ['carol', 'backupsvc', 'deploysvc'] as const) {
      expect(await kill(as(user))).toBe('AUTH_FAILED');
    }
    expect(server.calls).toEqual([]);
    expect(server.failures.sort()).toEqual([
      ...Array<string>(6).fill('bad_job_key'),
      ...Array<string>(3).fill('permission'),
    ]);
    expect(await kill(as('deploysvc'), ADS)).toBe('OK');
    expect([await kill(as('alice')), await kill(as('root'))]).toEqual(['OK', 'OK']);
    expect(server.calls).toHaveLength(3);
  });

  test('OPS-006 nobody, a wrong password and an unknown user get a 401 and no Thrift message', async () => {
    expect(await atOnce(server.url)('killTasks', { job: JOB })).toBe(401);
    expect([await kill(WRONG), await kill(NOBODY)]).toEqual([401, 401]);
    expect(server.calls).toEqual([]);
    expect(server.failures).toEqual(['login', 'login']);
  });

  test('OPS-007, OPS-008, RPC-143, WIRE-018 admin methods need their own permission', async () => {
    const snapshot = (login: Login): Promise<string | number> =>
      client(server.url, login)('snapshot');
    expect(await snapshot(as('root'))).toBe('OK');
    expect([await snapshot(WRONG), await snapshot(NOBODY)]).toEqual([401, 401]);
    for (const user of ['alice', 'carol', 'backupsvc', 'deploysvc'] as const) {
      expect(await snapshot(as(user))).toBe('AUTH_FAILED');
    }
    expect(await client(server.url, as('backupsvc'))('listBackups')).toBe('OK');
    expect(server.calls.map(({ method }) => method)).toEqual(['snapshot', 'listBackups']);
  });
});

describe('the filter after authentication', () => {
  const seen = globalThis as unknown as { principals: unknown[] };

  beforeEach(() => {
    seen.principals = [];
  });

  /** A server with a filter whose body this is; it knows `request` and `principal`. */
  async function filtered(body: string): Promise<Secured> {
    const text = `module.exports = async (request, principal) => {
      globalThis.principals.push(principal);
      ${body}
    };`;
    const afterAuth = await loadAfterAuth(testFile('filter.cjs', text), silentLog);
    return secured({ afterAuth });
  }

  test('OPS-001 runs for a read without credentials, with good ones, and with wrong ones never sent', async () => {
    await using server = await filtered('return principal;');
    expect(await atOnce(server.url)('getRoleSummary')).toBe('OK');
    expect(await atOnce(server.url, as('root'))('getRoleSummary')).toBe('OK');
    expect(await whenAsked(server.url, WRONG)('getRoleSummary')).toBe('OK');
    expect(seen.principals).toEqual([null, 'root', null]);
    expect(await atOnce(server.url, WRONG)('getRoleSummary')).toBe(401);
    expect(seen.principals).toHaveLength(3);
  });

  test('OPS-008 runs twelve times for the calls of the reference, never for a login that failed', async () => {
    await using server = await filtered('return principal;');
    const call = (login: Login, method: string): Promise<string | number> =>
      whenAsked(server.url, login)(method);
    expect(await call(as('root'), 'snapshot')).toBe('OK');
    expect([await call(WRONG, 'snapshot'), await call(NOBODY, 'snapshot')]).toEqual([401, 401]);
    for (const user of ['alice', 'carol', 'backupsvc'] as const) {
      expect(await call(as(user), 'snapshot')).toBe('AUTH_FAILED');
    }
    expect(await call(as('backupsvc'), 'listBackups')).toBe('OK');
    expect(seen.principals).toHaveLength(12);
  });

  test('may let a call go on as somebody else, as nobody, or not at all', async () => {
    await using server = await filtered(`
      if (request.headers.authorization !== undefined) throw new Error('told of a password');
      return { root: 'carol', carol: 'root', alice: null, backupsvc: 403, deploysvc: 'x' }[principal];
    `);
    const kill = (user: Parameters<typeof as>[0]): Promise<string | number> =>
      atOnce(server.url, as(user))('killTasks', { job: JOB });
    expect(await kill('root')).toBe('AUTH_FAILED');
    expect(await kill('carol')).toBe('OK');
    expect(await kill('alice')).toBe(401);
    expect(await kill('backupsvc')).toBe(403);
    expect(await kill('deploysvc')).toBe('AUTH_FAILED');
  });

  test.each(['throw new Error("broken");', 'return 200;', 'return undefined;', 'return "";'])(
    'one that says `%s` ends the call with 500 and nothing else',
    async (body) => {
      await using server = await filtered(body);
      expect(await atOnce(server.url, as('root'))('getRoleSummary')).toBe(500);
      expect(server.calls).toEqual([]);
    },
  );

  test('must be a module that exports a function', async () => {
    const load = (path: string): Promise<unknown> => loadAfterAuth(path, silentLog);
    await expect(load('com.example.Filter')).rejects.toThrow('is a Java class');
    await expect(load('/no/such/filter.js')).rejects.toThrow('there is no file /no/such/filter.js');
    const path = testFile('empty.cjs', 'module.exports = { a: 1 };');
    await expect(load(path)).rejects.toThrow('does not export a function');
  });
});

describe('the 401', () => {
  const post = (
    url: string,
    headers: Record<string, string>,
    body = '[1,"getRoleSummary",1,0,{}]',
  ): Promise<Response> =>
    fetch(`${url}/api`, {
      ...{ method: 'POST', body },
      headers: { 'Content-Type': 'application/x-thrift', ...headers },
    });
  const basic = (text: string): string => `Basic ${Buffer.from(text).toString('base64')}`;

  test('says how to log in, has no body, and leaves the connection to be used again', async () => {
    await using server = await secured();
    const kill = '[1,"killTasks",1,0,{}]';
    for (const answer of [
      await post(server.url, { Authorization: basic('root:wrong') }),
      await post(server.url, {}, kill),
    ]) {
      expect(answer.status).toBe(401);
      expect(answer.headers.get('WWW-Authenticate')).toBe('BASIC realm="Apache Aurora Scheduler"');
      expect(answer.headers.get('Connection')).not.toBe('close');
      expect(await answer.text()).toBe('');
    }
  });

  test('a bad login is refused before the type, the method and the bytes of the call are looked at', async () => {
    await using server = await secured();
    const Authorization = basic('root:wrong');
    const statusOf = async (answer: Promise<Response>): Promise<number> => (await answer).status;
    expect(await statusOf(post(server.url, { Authorization, 'Content-Type': 'text/plain' }))).toBe(
      401,
    );
    expect(await statusOf(post(server.url, { Authorization }, 'garbage'))).toBe(401);
    const method = 'DELETE';
    expect(await statusOf(fetch(`${server.url}/api`, { method, headers: { Authorization } }))).toBe(
      401,
    );
    expect(await statusOf(post(server.url, {}, 'garbage'))).toBe(500);
  });

  test('OPS-018 the CORS headers are on every answer of /api, and the chain goes on', async () => {
    await using server = await secured({ cors: 'test' });
    const answers = [
      await post(server.url, {}),
      await post(server.url, { Authorization: basic('root:wrong') }),
      await post(server.url, { 'Content-Type': 'text/plain' }),
      await fetch(`${server.url}/api`, { method: 'OPTIONS' }),
    ];
    expect(answers.map(({ status }) => status)).toEqual([200, 401, 415, 200]);
    for (const { headers } of answers) {
      expect(headers.get('Access-Control-Allow-Origin')).toBe('test');
      expect(headers.get('Access-Control-Allow-Methods')).toBe('DELETE,GET,HEAD,OPTIONS,POST,PUT');
      expect(headers.get('Access-Control-Allow-Headers')).toBe(
        'Accept,Content-Type,Origin,X-Requested-With',
      );
      expect(headers.get('Access-Control-Allow-Credentials')).toBeNull();
    }
    expect(server.calls).toHaveLength(1);
  });

  test.each([
    ['any case of the scheme', `bAsIc ${Buffer.from('root:secret').toString('base64')}`, 200],
    ['a third word', `${basic('root:secret')} more`, 200],
    ['another scheme is nobody', 'Bearer abc', 200],
    ['NEGOTIATE is nobody, too', 'Negotiate abc', 200],
    ['no second word', 'Basic', 401],
    ['two blanks', `Basic  ${Buffer.from('root:secret').toString('base64')}`, 401],
    ['no colon: an empty password', basic('root'), 401],
    ['a longer password', basic('root:secret1'), 401],
    ['another case of the user', basic('Root:secret'), 401],
    ['no base64 at all', 'Basic ???', 401],
    ['a name every object has', basic('__proto__:x'), 401],
  ])('%s', async (_, Authorization, status) => {
    await using server = await secured();
    expect((await post(server.url, { Authorization })).status).toBe(status);
  });
});

describe('logging in', () => {
  const request = (authorization?: string, remoteAddress = '10.0.0.1'): IncomingMessage =>
    ({ headers: { authorization }, socket: { remoteAddress } }) as unknown as IncomingMessage;
  const header = (text: string): string => `Basic ${Buffer.from(text).toString('base64')}`;

  test('the password is all that follows the first colon, byte for byte', () => {
    const { accounts } = parseRealm('[users]\nann = a:ö, r\n');
    const { callerOf } = new BasicAuthentication({ accounts, onFailure: () => undefined });
    expect(callerOf(request(header('ann:a:ö')))).toMatchObject({ user: 'ann' });
    const latin = `Basic ${Buffer.from('ann:a:ö', 'latin1').toString('base64')}`;
    expect(callerOf(request(latin))).toMatchObject({ status: 401 });
    expect(basicCredentials(header('ann'))).toEqual({ user: 'ann', password: Buffer.alloc(0) });
    expect(basicCredentials('Negotiate abc')).toBeUndefined();
  });

  test('a good login is remembered, a bad one is examined each time, and fills nothing', () => {
    let failures = 0;
    const { accounts } = parseRealm(INI);
    const { callerOf } = new BasicAuthentication({ accounts, onFailure: () => failures++ });
    const good = callerOf(request(header('root:secret')));
    expect(callerOf(request(header('root:secret')))).toBe(good);
    for (let n = 0; n < 3; n++) {
      expect(callerOf(request(header('root:wrong')))).toMatchObject({ status: 401 });
    }
    expect(failures).toBe(3);
    // More headers of one user than are kept, and one that is too long to be.
    for (let n = 0; n < 5_000; n++) {
      expect(callerOf(request(`${header('alice:password')} ${n}`))).toMatchObject({
        user: 'alice',
      });
    }
    const long = `${header('alice:password')} ${'x'.repeat(10_000)}`;
    expect(callerOf(request(long))).toMatchObject({ user: 'alice' });
    expect(callerOf(request(header('root:secret')))).toBe(good);
  });

  test('who may end the process: this machine, and users who may do everything', () => {
    const { accounts } = parseRealm(INI);
    const { mayControl } = new BasicAuthentication({ accounts, onFailure: () => undefined });
    const verdict = (login?: string, from?: string): number =>
      mayControl({ raw: request(login === undefined ? undefined : header(login), from) });
    for (const from of ['127.0.0.1', '127.1.2.3', '::1', '::ffff:127.0.0.1']) {
      expect(verdict(undefined, from)).toBe(200);
    }
    expect([verdict(), verdict('root:wrong'), verdict(undefined, '::ffff:10.0.0.1')]).toEqual([
      401, 401, 401,
    ]);
    expect([verdict('alice:password'), verdict('root:secret')]).toEqual([403, 200]);
  });
});
