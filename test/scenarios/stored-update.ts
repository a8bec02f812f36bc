/** Puts an update into the store behind the scheduler's back: as an earlier process would have left it. */
import { randomUUID } from 'node:crypto';
import type { TaskConfig } from '../../src/core/model/config.js';
import type { JobKey, JobUpdateKey } from '../../src/core/model/keys.js';
import { toRanges } from '../../src/core/model/ranges.js';
import type { UpdateStatus } from '../../src/core/model/statuses.js';
import type { UpdateSettings } from '../../src/core/model/update.js';
import { explicitStatus } from '../../src/core/update/status-table.js';
import { silentLog } from '../../src/observe/log.js';
import { ConfigStore } from '../../src/store/configs.js';
import { Database } from '../../src/store/database.js';
import { insertUpdate, writeUpdate } from '../../src/store/updates.js';
import { aSettings } from '../support/builders.js';
import type { World } from '../support/world.js';

export interface StoredUpdate {
  readonly job: JobKey;
  /** What instances 0 to n − 1 have and get. */
  readonly from: TaskConfig;
  readonly to: TaskConfig;
  readonly instances: number;
  readonly settings?: Partial<UpdateSettings>;
  /** Its update events, at the world's time and a minute apart; the clock moves on to a minute after the last. */
  readonly events: readonly UpdateStatus[];
}

export async function storeUpdate(world: World, update: StoredUpdate): Promise<JobUpdateKey> {
  const url = world.database.url;
  const db = new Database({ url, clock: world.time, log: silentLog, holder: 'earlier' });
  await db.takeOver();
  const key = await writeStoredUpdate(db, world, update);
  await db.close();
  return key;
}

/** The same through a store that is open: the scheduler behind it hears nothing of it. */
export async function writeStoredUpdate(
  db: Database,
  { time }: Pick<World, 'time'>,
  update: StoredUpdate,
): Promise<JobUpdateKey> {
  const { job, events, settings } = update;
  const configs = new ConfigStore();
  const [from, to] = [configs.identify(update.from), configs.identify(update.to)];
  const instances = toRanges(Array.from({ length: update.instances }, (_, id) => id));
  const key = { job, id: randomUUID() };
  const [first] = events;
  if (first === undefined) throw new RangeError('an update has at least one event');
  await db.write({}, async (tx) => {
    await configs.save(tx, [from, to]);
    await insertUpdate(
      tx,
      {
        ...{ key, user: 'user', metadata: [], state: 'ROLLING_FORWARD' },
        instructions: {
          initialState: [{ config: from, instances }],
          desiredState: { config: to, instances },
          settings: aSettings(settings),
        },
      },
      { status: first, atMs: time.wallNow() },
    );
    for (const status of events) {
      const event = { kind: 'update', status, timestampMs: time.wallNow() } as const;
      await writeUpdate(tx, key.id, { state: explicitStatus(status), events: [event] });
      time.tick(60_000);
    }
  });
  return key;
}
