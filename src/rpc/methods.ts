/**
 * The RPCs of this version by name (rpc.md §10 to §12). What is not here the wire layer answers by itself.
 *
 * Arguments come as plain records under the names of the IDL (`wire/to-core.ts`), results go back as one
 * member of the union Result in the same form. A method answers OK and the refusals that carry more than a
 * text as an Outcome; it rejects with RefusedError, TransientError and UnknownOutcomeError, whose codes
 * `wire/responses.ts` knows, and with anything else for a failure of ours.
 */
import { adminMethods } from './admin.js';
import { configReads } from './config-reads.js';
import { cronMethods } from './cron.js';
import type { RpcDeps, RpcMethods } from './deps.js';
import { jobReads } from './job-reads.js';
import { jobMethods } from './jobs.js';
import { maintenanceMethods } from './maintenance.js';
import { quotaMethods } from './quota.js';
import { reconciliationMethods } from './reconciliation.js';
import { recoveryMethods } from './recovery.js';
import { taskReads } from './task-reads.js';
import { updateDiff } from './update-diff.js';
import { updateReads } from './update-reads.js';
import { updateMethods } from './updates.js';

export type { RpcDeps, RpcMethods, RpcSettings } from './deps.js';

export function createMethods(deps: RpcDeps): RpcMethods {
  return {
    ...jobMethods(deps),
    ...cronMethods(deps),
    ...jobReads(deps),
    ...configReads(deps),
    ...taskReads(deps),
    ...quotaMethods(deps),
    ...maintenanceMethods(deps),
    ...reconciliationMethods(deps),
    ...adminMethods(deps),
    ...recoveryMethods(deps),
    ...updateMethods(deps),
    ...updateReads(deps),
    ...updateDiff(deps),
  };
}
