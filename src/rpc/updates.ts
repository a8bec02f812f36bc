/** startJobUpdate, the four verbs and pulseJobUpdate (rpc.md §11.1 to §11.3; updates.md §2). */
import { RefusedError } from '../core/errors.js';
import type { JobUpdateKey } from '../core/model/keys.js';
import { updateKeyText } from '../core/model/keys.js';
import { MSG_NOOP } from '../core/update/messages.js';
import type { Verb } from '../core/update/verbs.js';
import { instanceCountProblem } from '../core/validate/instance-count.js';
import type { ApiJobUpdateRequest } from '../core/validate/update-request.js';
import { updateMessageProblem, validateUpdateRequest } from '../core/validate/update-request.js';
import type { PulseResult } from '../engine/pulses.js';
import type { RpcDeps, RpcMethods, SentUpdateKey } from './deps.js';
import { countWork, refuseIf, validOf, validUpdateKey } from './deps.js';
import type { Outcome, RpcMethod } from './outcome.js';
import { fixed, ok, refuse } from './outcome.js';
import type { PulseView } from './pulse-view.js';
import { viewNow } from './pulse-view.js';
import { updateSummary } from './update-reads.js';

/** Rows 1 to 21 of rpc.md §11.1, in their order. */
function startMethod(deps: RpcDeps): RpcMethod {
  const { engine, limits } = deps;
  return async (args, caller) => {
    const request = args['request'] as ApiJobUpdateRequest | undefined;
    const message = args['message'] as string | undefined;
    const valid = validOf(validateUpdateRequest(request, limits, (job) => engine.cron.has(job)));
    const { config, instanceCount, settings, metadata } = valid;
    const { user } = caller;
    const { job } = config;
    // Filled inside the transaction, right before it looks for an active update: heartbeats first (I5).
    const seen: { view?: PulseView } = {};
    const result = await engine.updates.start({
      job,
      config,
      instanceCount,
      settings,
      metadata,
      user,
      ...(message === undefined ? {} : { message }),
      checkAfterDiff: async (tx, instructions) => {
        refuseIf(instanceCountProblem(instanceCount, limits.maxTasksPerJob));
        await engine.quotas.requireForUpdate(tx, job, instructions);
        refuseIf(updateMessageProblem(message));
        const active = engine.updater.registry.ofJob(job);
        seen.view = viewNow(engine, active === undefined ? [] : [active]);
      },
    });
    switch (result.kind) {
      case 'noop':
        return ok(undefined, MSG_NOOP);
      case 'in-progress': {
        const { active } = result;
        // The one refusal with a result: Python looks there for the id of its own earlier attempt.
        return {
          ...refuse('INVALID_REQUEST', `An update of this job is active: ${active.key.id}.`),
          result: {
            startJobUpdateResult: {
              key: active.key,
              updateSummary: updateSummary(active, seen.view ?? viewNow(engine)),
            },
          },
        };
      }
      case 'started': {
        const { key } = result;
        countWork(deps, 'startJobUpdate', instanceCount);
        return ok({ startJobUpdateResult: { key, updateSummary: { key, user, metadata } } });
      }
    }
  };
}

function verbMethod({ engine }: RpcDeps, verb: Verb): RpcMethod {
  return async (args, caller) => {
    const key = validUpdateKey(args['key'] as SentUpdateKey | undefined);
    const message = args['message'] as string | undefined;
    refuseIf(updateMessageProblem(message));
    await engine.updates.change(key, verb, caller.user, message);
    return ok();
  };
}

const pulsed = (status: 'OK' | 'FINISHED'): Outcome =>
  fixed(ok({ pulseJobUpdateResult: { status } }));
const ALIVE = pulsed('OK');
const OVER = pulsed('FINISHED');
/** The two answers of nearly all pulses, made once. */
const ALIVE_NOW = Promise.resolve(ALIVE);
const OVER_NOW = Promise.resolve(OVER);

/** No SQL, no lane and next to no garbage for an update in the registry (G4, design D7). */
function pulseMethod({ engine, settings }: RpcDeps): RpcMethod {
  /** The update is not in the registry: finished, unknown, or known to the store alone. */
  async function late(
    key: JobUpdateKey,
    answer: PulseResult | Promise<PulseResult>,
  ): Promise<Outcome> {
    const result = await answer;
    if (result === 'OK') return ALIVE;
    return result === 'FINISHED' || settings.unknownPulseResponse === 'FINISHED'
      ? OVER
      : refuse('INVALID_REQUEST', `There is no update ${updateKeyText(key)}.`);
  }
  return (args) => {
    try {
      const key = validUpdateKey(args['key'] as SentUpdateKey | undefined);
      if (key.id.trim() === '') throw new RefusedError('ERROR', 'key.id must not be blank');
      const result = engine.updates.pulse(key);
      if (result === 'OK') return ALIVE_NOW;
      return result === 'FINISHED' ? OVER_NOW : late(key, result);
    } catch (error) {
      return Promise.reject(error as Error);
    }
  };
}

export function updateMethods(deps: RpcDeps): RpcMethods {
  return {
    startJobUpdate: startMethod(deps),
    pauseJobUpdate: verbMethod(deps, 'pause'),
    resumeJobUpdate: verbMethod(deps, 'resume'),
    abortJobUpdate: verbMethod(deps, 'abort'),
    rollbackJobUpdate: verbMethod(deps, 'rollback'),
    pulseJobUpdate: pulseMethod(deps),
  };
}
