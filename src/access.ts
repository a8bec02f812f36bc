/** Authentication and authorization put together from the flags; nothing of either without them. */
import type { Config } from './config/flags.js';
import { loadAfterAuth } from './http/auth-after.js';
import { BasicAuthentication, CHALLENGE } from './http/authentication.js';
import type { ApiHandlerOptions } from './http/api-handler.js';
import type { OperatorOptions } from './http/health.js';
import type { Log } from './observe/log.js';
import type { Metrics } from './observe/metrics.js';
import type { Stats } from './observe/stats.js';
import type { AccessFailure } from './rpc/authorize.js';
import { Authorization, servicesOf } from './rpc/authorize.js';
import { accessSettings } from './settings.js';
import { shimSchema } from './wire/idl.js';

/** What each part is given while authentication is on. */
export interface Access {
  readonly forRpc: { readonly authorization: Authorization };
  readonly forApi: Pick<ApiHandlerOptions, 'callerOf' | 'challenge'>;
  readonly forOperators: Pick<OperatorOptions, 'mayControl'>;
}

/** Variables of the reference (operations.md §1.5). */
const COUNTERS: Readonly<Record<AccessFailure, string>> = {
  permission: 'shiro_authorization_failures',
  bad_job_key: 'shiro_bad_requests',
};

/**
 * Undefined with `-http_authentication_mechanism=NONE`.
 *
 * @throws Error for users, roles or a filter that cannot be read; it names the flag
 */
export async function createAccess(
  config: Config,
  log: Log,
  stats: Stats,
  metrics: Metrics,
): Promise<Access | undefined> {
  const settings = accessSettings(config);
  if (settings === undefined) return undefined;
  const { accounts, undefinedRoles, afterAuthPath } = settings;
  if (undefinedRoles.length > 0) {
    log.warn(
      { roles: undefinedRoles },
      'users have roles that are not defined: they grant nothing',
    );
  }
  const afterAuth =
    afterAuthPath === undefined
      ? undefined
      : await loadAfterAuth(afterAuthPath, log).catch((error: unknown) => {
          throw new Error(`--shiro_after_auth_filter: ${(error as Error).message}`, {
            cause: error,
          });
        });
  for (const name of Object.values(COUNTERS)) stats.increment(name, 0);
  const authorization = new Authorization(servicesOf(shimSchema().services), (kind) => {
    stats.increment(COUNTERS[kind]);
    metrics.authFailures.inc({ kind });
  });
  const { callerOf, mayControl } = new BasicAuthentication({
    accounts,
    onFailure: () => metrics.authFailures.inc({ kind: 'login' }),
    ...(afterAuth === undefined ? {} : { afterAuth }),
  });
  return {
    forRpc: { authorization },
    forApi: { callerOf, challenge: CHALLENGE },
    forOperators: { mayControl },
  };
}
