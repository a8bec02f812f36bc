/**
 * Gathers why active updates are not moving: what memory knows (state, heartbeats, watches) as of one moment,
 * then what Postgres knows, in at most two statements whatever their number; `core/update/blockers.ts` judges.
 */
import type { JobUpdateKey } from '../core/model/keys.js';
import type { Metadata } from '../core/model/config.js';
import type { UpdateStatus } from '../core/model/statuses.js';
import { isRolling } from '../core/model/statuses.js';
import type { BlockerFacts, Blockers } from '../core/update/blockers.js';
import { blockersOf, blockersText } from '../core/update/blockers.js';
import type { InstanceRecord } from '../store/blockers.js';
import { findInstancesInHand, findPauses } from '../store/blockers.js';
import type { ActiveUpdate } from './active-updates.js';
import type { Engine } from './engine.js';

/** An active update and what is in its way. */
export interface BlockedUpdate {
  readonly key: JobUpdateKey;
  readonly keyText: string;
  /** As readers see it. */
  readonly status: UpdateStatus;
  readonly user: string;
  readonly metadata: readonly Metadata[];
  readonly blockers: Blockers;
  /** The blockers in a line. */
  readonly text: string;
}

/** What memory knew of an update when it was asked. */
interface Seen {
  readonly entry: ActiveUpdate;
  readonly status: UpdateStatus;
  readonly facts: Omit<BlockerFacts, 'instances'>;
  /** Rolling behind an open gate: its instances are what it waits for. */
  readonly moves: boolean;
  /** The instances in hand; undefined when the updater has to be rebuilt. */
  readonly inHand: readonly number[] | undefined;
  readonly watched: ReadonlySet<number>;
}

export async function findBlockers(
  engine: Engine,
  entries: Iterable<ActiveUpdate>,
): Promise<BlockedUpdate[]> {
  const { db, clock } = engine.options;
  const seen = [...entries].map((entry) => see(engine, entry));
  const paused = seen.filter(({ facts }) => !isRolling(facts.state));
  const moving = seen.filter(({ moves }) => moves);
  const pauses =
    paused.length === 0 ? undefined : await db.read((tx) => findPauses(tx, paused.map(idOf)));
  const records =
    moving.length === 0
      ? []
      : await db.read((tx) =>
          findInstancesInHand(tx, {
            instances: moving.flatMap(({ entry, inHand = [] }) =>
              inHand.map((instanceId) => ({ updateId: entry.key.id, instanceId })),
            ),
            forgotten: moving.filter(({ inHand }) => inHand === undefined).map(idOf),
          }),
        );
  const byUpdate = grouped(records);
  const nowMs = clock.wallNow();
  return seen.map(({ entry, status, facts, watched }) => {
    const { key, keyText, user, metadata } = entry;
    const pause = pauses?.get(key.id);
    const blockers = blockersOf({
      ...facts,
      ...(pause === undefined ? {} : { pause }),
      instances: (byUpdate.get(key.id) ?? []).map((record) => ({
        ...record,
        isWatched: watched.has(record.instanceId),
      })),
    });
    const text = blockersText(blockers, nowMs);
    return { key, keyText, status, user, metadata, blockers, text };
  });
}

const idOf = ({ entry }: Seen): string => entry.key.id;

function see(engine: Engine, entry: ActiveUpdate): Seen {
  const { updater, heartbeats, startedAtMs, options } = engine;
  const { state, pulseTimeoutMs, stepper, plan, retry, createdMs } = entry;
  const verdict = updater.verdict(entry);
  const at = heartbeats.get(entry.keyText);
  return {
    entry,
    status: updater.view(entry),
    facts: {
      ...{ state, verdict, pulseTimeoutMs },
      ...(at === undefined ? {} : { pulse: { at, ageMs: options.clock.monoNow() - at.mono } }),
      listeningSinceMs: Math.max(startedAtMs, createdMs),
      minWaitMs: plan?.settings.minWaitInRunningMs ?? 0,
      ...(retry === undefined ? {} : { retryDelayMs: retry.delayMs }),
    },
    moves: isRolling(state) && verdict === 'open',
    inHand: stepper && [...stepper.updater.working.keys()],
    watched: new Set(entry.watches.keys()),
  };
}

function grouped(records: readonly InstanceRecord[]): Map<string, InstanceRecord[]> {
  const byUpdate = new Map<string, InstanceRecord[]>();
  for (const record of records) {
    const list = byUpdate.get(record.updateId);
    if (list === undefined) byUpdate.set(record.updateId, [record]);
    else list.push(record);
  }
  return byUpdate;
}
