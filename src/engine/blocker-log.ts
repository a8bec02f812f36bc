/**
 * Says in the log why an update is not moving: once for each episode, when a slow look at all active updates
 * first finds it, and not again while nothing changes. A look nobody needs costs no SQL; one that fails is
 * skipped, for the next one sees as much.
 */
import { episodeOf } from '../core/update/blockers.js';
import type { Log } from '../observe/log.js';
import type { TimerHandle } from '../time.js';
import { findBlockers } from './blockers.js';
import type { Engine } from './engine.js';

const LOOK_EVERY_MS = 10_000;

export class BlockerLog {
  /** The episode each update is in, as far as it was told, by the key of the update. */
  private told: ReadonlyMap<string, string> = new Map();
  private timer: TimerHandle | undefined;
  private stopped = false;

  constructor(
    private readonly engine: Engine,
    private readonly log: Log,
  ) {}

  start(): void {
    this.timer = this.engine.options.timers.set(LOOK_EVERY_MS, () => {
      this.look()
        .catch((error: unknown) => {
          this.log.warn({ err: error }, 'what updates wait for could not be read');
        })
        .finally(() => {
          if (!this.stopped) this.start();
        });
    });
  }

  stop(): void {
    this.stopped = true;
    this.timer?.cancel();
  }

  /** Tells of every episode that was not told yet. */
  async look(): Promise<void> {
    const { updater, options } = this.engine;
    if (!updater.registry.loaded) return;
    const updates = await findBlockers(this.engine, updater.registry.all());
    const told = new Map<string, string>();
    for (const { keyText: update, status, user, metadata, blockers, text } of updates) {
      const episode = episodeOf(blockers, options.clock.wallNow());
      if (episode === undefined) continue;
      told.set(update, episode);
      if (this.told.get(update) === episode) continue;
      const { pause, heartbeat, failedStep, instances } = blockers;
      const reasons = { pause, heartbeat, failedStep, instance: instances[0] };
      this.log.info(
        { update, status, startedBy: user, metadata, ...reasons, instances: instances.length },
        `an update is not moving: ${text}`,
      );
    }
    this.told = told;
  }
}
