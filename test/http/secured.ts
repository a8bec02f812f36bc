/**
 * What the tests of security share: the users of operations.md §6, a server that lets them in, and the two
 * kinds of clients there are, those that send credentials at once and those that wait to be asked.
 */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseRealm } from '../../src/core/access/realm.js';
import { createApiHandler } from '../../src/http/api-handler.js';
import type { BasicAuthenticationOptions } from '../../src/http/authentication.js';
import { BasicAuthentication, CHALLENGE } from '../../src/http/authentication.js';
import { startHttpServer } from '../../src/http/server.js';
import { silentLog } from '../../src/observe/log.js';
import type { AccessFailure } from '../../src/rpc/authorize.js';
import { Authorization, servicesOf } from '../../src/rpc/authorize.js';
import type { ApiResponse } from '../../src/wire/client.js';
import { AuroraClient, ClientError } from '../../src/wire/client.js';
import { shimSchema } from '../../src/wire/idl.js';
import type { PlainRecord } from '../../src/wire/presence.js';
import { auroraShim } from '../../src/wire/service.js';
import { newTestDir } from '../support/server-process.js';
import { recorder, serviceOf, type Recorder } from '../wire/support.js';

export const PASSWORDS = {
  root: 'secret',
  alice: 'password',
  carol: '12345',
  backupsvc: 's3cret!!1',
  deploysvc: '0_0-x_0',
} as const;
export type User = keyof typeof PASSWORDS;

export const INI = `
[users]
root = secret, admin
alice = password, eng
carol = 12345
backupsvc = s3cret!!1, backup
deploysvc = 0_0-x_0, deploy
[roles]
admin = *
eng = thrift.AuroraSchedulerManager:*
backup = thrift.AuroraAdmin:listBackups
deploy = thrift.AuroraSchedulerManager:killTasks:ads:staging:job
`;

export interface Login {
  readonly user: string;
  readonly password: string;
}

export const as = (user: User): Login => ({ user, password: PASSWORDS[user] });
export const WRONG: Login = { user: 'root', password: 'wrong' };
export const NOBODY: Login = { user: 'nobody', password: '12345' };

/** The code of the answer, or the status of an answer that is no Thrift message. */
export type Answered = string | number;

export interface Client {
  (method: string, args?: PlainRecord): Promise<Answered>;
}

export async function answered(call: Promise<ApiResponse<unknown>>): Promise<Answered> {
  try {
    return (await call).responseCode;
  } catch (error) {
    if (error instanceof ClientError && error.status !== undefined) return error.status;
    throw error;
  }
}

/** Calls as gorealis and netrc do: with credentials, if there are any, from the first request on. */
export function atOnce(url: string, credentials?: Login): Client {
  return async (method, args) => {
    const client = new AuroraClient({ url, ...(credentials && { credentials }) });
    try {
      return await answered(client.call(method, args));
    } finally {
      client.close();
    }
  };
}

/** Calls without credentials first, and with them where that was answered with a challenge. */
export function whenAsked(url: string, credentials: Login): Client {
  return async (method, args) => {
    const first = await atOnce(url)(method, args);
    return first === 401 ? atOnce(url, credentials)(method, args) : first;
  };
}

export interface Secured extends AsyncDisposable {
  readonly url: string;
  readonly calls: Recorder['calls'];
  readonly failures: (AccessFailure | 'login')[];
}

/** A server over methods that note their calls and answer OK, with the real layers of security before them. */
export async function secured(
  options: Partial<BasicAuthenticationOptions> & { readonly cors?: string } = {},
): Promise<Secured> {
  const failures: (AccessFailure | 'login')[] = [];
  const { calls, methods } = recorder();
  const authorization = new Authorization(servicesOf(shimSchema().services), (kind) =>
    failures.push(kind),
  );
  const service = serviceOf(methods, { api: auroraShim(), authorization });
  const { callerOf } = new BasicAuthentication({
    accounts: parseRealm(INI).accounts,
    onFailure: () => failures.push('login'),
    ...options,
  });
  const server = await startHttpServer({
    ...{ ip: '127.0.0.1', port: 0, routes: {}, log: silentLog },
    api: createApiHandler({
      ...{ service, callerOf, challenge: CHALLENGE },
      ...(options.cors === undefined ? {} : { corsDomain: options.cors }),
    }),
  });
  return {
    url: `http://127.0.0.1:${server.port}`,
    ...{ calls, failures },
    [Symbol.asyncDispose]: () => server.close(),
  };
}

/** Writes a file that lives as long as the test run, and tells its path. */
export function testFile(name: string, text: string): string {
  const path = join(newTestDir('security'), name);
  writeFileSync(path, text);
  return path;
}
