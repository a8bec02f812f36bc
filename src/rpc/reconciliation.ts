/** triggerExplicitTaskReconciliation and triggerImplicitTaskReconciliation (rpc.md §12). */
import { RefusedError } from '../core/errors.js';
import type { RpcDeps, RpcMethods } from './deps.js';
import { given } from './deps.js';
import { ok } from './outcome.js';

export function reconciliationMethods({ engine }: RpcDeps): RpcMethods {
  return {
    /** Answers before the first task is asked about. */
    async triggerExplicitTaskReconciliation(args) {
      const { batchSize } = given<{ readonly batchSize?: number }>(args, 'settings');
      if (batchSize !== undefined && batchSize <= 0) {
        throw new RefusedError('INVALID_REQUEST', 'settings.batchSize must be greater than 0');
      }
      engine.updater.requireLeading();
      engine.reconciliation.reconcileExplicitly(batchSize);
      return ok();
    },

    async triggerImplicitTaskReconciliation() {
      engine.updater.requireLeading();
      engine.reconciliation.reconcileImplicitly();
      return ok();
    },
  };
}
