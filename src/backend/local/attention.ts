/**
 * When to look at tasks: at once on news from one of them, and now and then at all, because news are only
 * hints (design D17).
 */
import { watch, type FSWatcher } from 'node:fs';
import type { TimerHandle } from '../../time.js';
import type { LocalSettings } from './options.js';

export interface Watched<T> {
  /** A supervisor touched the file of this name. */
  news(name: string): void;
  /** What to look at in a poll. */
  live(): readonly T[];
  look(item: T): void;
}

/** Items looked at in one go, so that a poll of thousands does not stop everything else. */
const SLICE = 50;

export class Attention<T> {
  #watcher: FSWatcher | undefined;
  #timer: TimerHandle | undefined;
  #stopped = false;

  /** Watches from now on; the polls begin with `poll`. */
  constructor(
    directory: string,
    private readonly settings: Pick<LocalSettings, 'timers' | 'pollMs' | 'log'>,
    private readonly watched: Watched<T>,
  ) {
    const cannot = (error: unknown): void =>
      this.settings.log.warn({ err: error }, 'cannot watch for news, polling only');
    try {
      this.#watcher = watch(directory, { persistent: false }, (_kind, name) => {
        if (name !== null) this.watched.news(name);
      });
      this.#watcher.on('error', cannot);
    } catch (error) {
      cannot(error);
    }
  }

  /** Sets the timer for the next look at everything. */
  poll(): void {
    if (this.#stopped) return;
    this.#timer = this.settings.timers.set(this.settings.pollMs, () => void this.#lookAtAll());
  }

  stop(): void {
    this.#stopped = true;
    this.#watcher?.close();
    this.#timer?.cancel();
  }

  async #lookAtAll(): Promise<void> {
    for (const [at, item] of this.watched.live().entries()) {
      if (this.#stopped) return;
      this.watched.look(item);
      if (at % SLICE === SLICE - 1) await new Promise((go) => setImmediate(go));
    }
    this.poll();
  }
}
