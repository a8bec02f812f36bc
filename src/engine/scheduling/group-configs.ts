/** Reads the configs of groups that are about to be tried: from memory mostly, else from the store. */
import type { TaskGroup } from '../../core/schedule/groups.js';
import type { Log } from '../../observe/log.js';
import type { ConfigStore } from '../../store/configs.js';
import type { Database } from '../../store/database.js';
import type { Timers } from '../../time.js';

/** After a read that failed, ms. */
const RETRY_MS = 1_000;

export interface GroupConfigsOptions {
  readonly db: Database;
  readonly configs: ConfigStore;
  readonly timers: Timers;
  readonly log: Log;
  /** The group may be tried again now. */
  readonly ready: (groupKey: string) => void;
}

export class GroupConfigs {
  /** Reads under way. */
  private readonly loading = new Set<string>();

  constructor(private readonly options: GroupConfigsOptions) {}

  get busy(): boolean {
    return this.loading.size > 0;
  }

  /** True when the config is there. Otherwise the group is not due until it is, and then `ready`. */
  ensure(group: TaskGroup): boolean {
    const { configs, db, log, timers, ready } = this.options;
    const { configHash, key } = group;
    group.config ??= configs.known(configHash)?.config;
    if (group.config !== undefined) return true;
    group.dueMs = Infinity;
    if (this.loading.has(key)) return false;
    this.loading.add(key);
    db.read((tx) => configs.load(tx, [configHash])).then(
      (configOf) => {
        this.loading.delete(key);
        group.config = configOf(configHash).config;
        ready(key);
      },
      (error: unknown) => {
        this.loading.delete(key);
        log.warn({ err: error, configHash }, 'a config could not be read; trying again');
        timers.set(RETRY_MS, () => ready(key));
      },
    );
    return false;
  }
}
