/**
 * Task configurations by content (design D11): each stored once, found by the hash of its canonical text,
 * and kept in memory once seen, since they never change.
 */
import { createHash } from 'node:crypto';
import { sql } from 'kysely';
import type { StoredConfig, TaskConfig } from '../core/model/config.js';
import { canonicalConfig } from '../core/model/config.js';
import type { Queries, WriteTransaction } from './database.js';
import { query } from './database.js';

/** Configs kept in memory; a config is a few kilobytes. */
const CACHE_SIZE = 20_000;

export class ConfigStore {
  private readonly byHash = new Map<string, StoredConfig>();
  /** Written by a transaction that is not known to have committed. */
  private readonly unconfirmed = new Set<string>();

  /** The identity of a config. Pure but for the cache: the same config yields the same object. */
  identify(config: TaskConfig): StoredConfig {
    const hash = createHash('sha256').update(canonicalConfig(config)).digest('hex');
    return this.byHash.get(hash) ?? { hash, config };
  }

  /** Makes sure the configs have rows, so that tasks and updates can refer to them. */
  async save(tx: WriteTransaction, configs: readonly StoredConfig[]): Promise<void> {
    const missing = configs.filter((config) => !this.byHash.has(config.hash));
    if (missing.length === 0) return;
    for (const { hash } of missing) this.unconfirmed.add(hash);
    await tx.run(
      query
        .insertInto('task_configs')
        .values(missing.map(({ hash, config }) => ({ hash, config: JSON.stringify(config) })))
        .onConflict((conflict) => conflict.doNothing()),
    );
    // Only what is committed may be taken for stored.
    tx.onCommit(() => {
      for (const config of missing) {
        this.unconfirmed.delete(config.hash);
        this.remember(config);
      }
    });
  }

  /** What is in memory; undefined: ask `load`. */
  known(hash: string): StoredConfig | undefined {
    return this.byHash.get(hash);
  }

  /** @throws Error when a hash has no row: a foreign key would have to be broken for that */
  async load(queries: Queries, hashes: Iterable<string>): Promise<(hash: string) => StoredConfig> {
    const found = new Map<string, StoredConfig>();
    const missing: string[] = [];
    for (const hash of new Set(hashes)) {
      const known = this.byHash.get(hash);
      if (known === undefined) missing.push(hash);
      else found.set(hash, known);
    }
    if (missing.length > 0) {
      const rows = await queries.run<{ hash: string; config: TaskConfig }>(
        sql`SELECT hash, config FROM task_configs WHERE hash = ANY (${missing})`,
      );
      for (const row of rows) {
        found.set(row.hash, row);
        if (!this.unconfirmed.has(row.hash)) this.remember(row);
      }
    }
    return (hash) => {
      const config = found.get(hash);
      if (config === undefined) throw new Error(`task config ${hash} is not stored`);
      return config;
    };
  }

  private remember(config: StoredConfig): void {
    if (this.byHash.size >= CACHE_SIZE) {
      const oldest = this.byHash.keys().next().value;
      if (oldest !== undefined) this.byHash.delete(oldest);
    }
    this.byHash.set(config.hash, config);
  }
}
