/** getJobUpdateSummaries and getJobUpdateDetails (rpc.md §7, §10; updates.md §2.7). */
import { isValidJobKey } from '../core/model/keys.js';
import type { InstanceConfigGroup, UpdateInstructions } from '../core/model/update.js';
import type { ApiJobUpdateQuery } from '../core/validate/query.js';
import { jobUpdateQueryProblem } from '../core/validate/query.js';
import { settingsToApi } from '../core/validate/update-settings.js';
import type { ConfigStore } from '../store/configs.js';
import type { Queries } from '../store/database.js';
import type { UpdateFilter, UpdateRecord } from '../store/updates.js';
import {
  findUpdates,
  loadInstanceEvents,
  loadInstructions,
  loadUpdateEvents,
} from '../store/updates.js';
import type { RpcDeps, RpcMethods, SentUpdateKey } from './deps.js';
import { countResult, refuseIf } from './deps.js';
import { ok, refuse } from './outcome.js';
import type { PulseView } from './pulse-view.js';
import { viewNow } from './pulse-view.js';

const KEY_IS_DEPRECATED = 'The argument key is deprecated; use query.';

/**
 * The query for the store, or undefined when it can match nothing: a key with a part missing or malformed
 * equals the key of no update, and is no mistake either (rpc.md §7).
 */
function filterOf(query: ApiJobUpdateQuery): UpdateFilter | undefined {
  const { key, jobKey, updateStatuses, ...rest } = query;
  if (jobKey !== undefined && !isValidJobKey(jobKey)) return undefined;
  const filter: UpdateFilter = {
    ...rest,
    ...(jobKey === undefined ? {} : { jobKey }),
    ...(updateStatuses === undefined ? {} : { statuses: updateStatuses.map(String) }),
  };
  if (key === undefined) return filter;
  const { job, id } = key;
  return isValidJobKey(job) && id !== undefined ? { ...filter, key: { job, id } } : undefined;
}

/** The IDL's JobUpdateSummary; the timestamps are those of stored events (I4). */
export function updateSummary(
  record: UpdateRecord,
  view: PulseView,
): Readonly<Record<string, unknown>> {
  return {
    key: record.key,
    user: record.user,
    state: {
      status: view.status(record),
      createdTimestampMs: record.createdMs,
      lastModifiedTimestampMs: record.lastModifiedMs,
    },
    metadata: record.metadata,
  };
}

function instanceTaskConfig({ config, instances }: InstanceConfigGroup): Record<string, unknown> {
  return { task: config.config, instances };
}

/** The IDL's JobUpdateInstructions; desiredState is unset for a pure removal. */
function apiInstructions(instructions: UpdateInstructions): Record<string, unknown> {
  const { initialState, desiredState, settings } = instructions;
  return {
    initialState: initialState.map(instanceTaskConfig),
    desiredState: desiredState && instanceTaskConfig(desiredState),
    settings: settingsToApi(settings),
  };
}

/**
 * The IDL's JobUpdateDetails of everything that matches, in a number of statements that does not depend
 * on how much that is.
 */
async function findDetails(
  tx: Queries,
  configs: ConfigStore,
  filter: UpdateFilter,
  view: PulseView,
): Promise<Record<string, unknown>[]> {
  const records = await findUpdates(tx, filter, view.freshIds);
  if (records.length === 0) return [];
  const ids = records.map((record) => record.key.id);
  const instructions = await loadInstructions(tx, configs, ids);
  const updateEvents = await loadUpdateEvents(tx, ids);
  const instanceEvents = await loadInstanceEvents(tx, ids);
  return records.map((record) => {
    const { id } = record.key;
    const own = instructions.get(id);
    return {
      update: {
        summary: updateSummary(record, view),
        instructions: own && apiInstructions(own),
      },
      updateEvents: view.events(record, updateEvents.get(id) ?? []),
      instanceEvents: instanceEvents.get(id) ?? [],
    };
  });
}

export function updateReads(deps: RpcDeps): RpcMethods {
  const { engine } = deps;
  const { db } = engine.options;

  /** Heartbeats first, then one snapshot of the store (I5). */
  async function details(query: ApiJobUpdateQuery): Promise<Record<string, unknown>[]> {
    const view = viewNow(engine);
    const filter = filterOf(query);
    return filter === undefined
      ? []
      : db.snapshot((tx) => findDetails(tx, engine.configs, filter, view));
  }

  return {
    async getJobUpdateSummaries(args) {
      const query = args['jobUpdateQuery'] as ApiJobUpdateQuery | undefined;
      refuseIf(jobUpdateQueryProblem(query));
      const view = viewNow(engine);
      const filter = filterOf(query ?? {});
      // One statement is one snapshot.
      const records =
        filter === undefined ? [] : await db.read((tx) => findUpdates(tx, filter, view.freshIds));
      countResult(deps, 'getJobUpdateSummaries', records.length);
      return ok({
        getJobUpdateSummariesResult: {
          updateSummaries: records.map((record) => updateSummary(record, view)),
        },
      });
    },

    /** With a query its list, whatever the key; with the key alone that update, or INVALID_REQUEST. */
    async getJobUpdateDetails(args) {
      const query = args['query'] as ApiJobUpdateQuery | undefined;
      const key = args['key'] as SentUpdateKey | undefined;
      if (query !== undefined) {
        refuseIf(jobUpdateQueryProblem(query));
        const detailsList = await details(query);
        countResult(deps, 'getJobUpdateDetails', detailsList.length);
        return ok({ getJobUpdateDetailsResult: { detailsList } });
      }
      if (key === undefined) return refuse('ERROR', 'query must be set');
      const [found] = await details({ key });
      if (found === undefined) {
        return refuse('INVALID_REQUEST', 'key: there is no such update');
      }
      countResult(deps, 'getJobUpdateDetails', 0);
      return ok({ getJobUpdateDetailsResult: { details: found } }, KEY_IS_DEPRECATED);
    },
  };
}
