/** getQuota and setQuota (rpc.md §9, §10, §12). */
import type { ApiAggregate } from '../core/quota/amounts.js';
import { aggregateOf, amountsFromApi } from '../core/quota/amounts.js';
import { BUCKETS, consumption } from '../core/quota/consumption.js';
import { RefusedError } from '../core/errors.js';
import type { RpcDeps, RpcMethods } from './deps.js';
import { given, validOf } from './deps.js';
import { ok } from './outcome.js';

/** @throws RefusedError ERROR for a missing role or a blank one */
function roleOf(args: Readonly<Record<string, unknown>>): string {
  const role = given<string>(args, 'ownerRole');
  if (role.trim() === '') throw new RefusedError('ERROR', 'ownerRole must not be blank');
  return role;
}

export function quotaMethods({ engine }: RpcDeps): RpcMethods {
  return {
    /** Five aggregates of three resources each, zeros included; a role nobody knows has only zeros. */
    async getQuota(args) {
      const { quota, inUse } = await engine.quotas.find(roleOf(args));
      const used = consumption(inUse);
      return ok({
        getQuotaResult: {
          quota: aggregateOf(quota),
          ...Object.fromEntries(
            BUCKETS.map((bucket) => [`${bucket}Consumption`, aggregateOf(used[bucket])]),
          ),
        },
      });
    },

    async setQuota(args) {
      const role = roleOf(args);
      const quota = validOf(amountsFromApi(args['quota'] as ApiAggregate | undefined));
      await engine.quotas.set(role, quota);
      return ok();
    },
  };
}
