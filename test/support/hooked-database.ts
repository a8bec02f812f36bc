/**
 * A store whose write transactions a test may look at, slow down or fail, with a real Postgres behind it.
 */
import type { WriteOptions, WriteTransaction } from '../../src/store/database.js';
import { Database, query } from '../../src/store/database.js';

/** A write transaction with everything written and COMMIT not sent yet. */
export interface Written {
  /** One of its statements contains this text: the name of a table, or a value as JSON writes it. */
  mentions(text: string): boolean;
  /** How many it sent, BEGIN with the fence and COMMIT aside. */
  readonly statements: number;
}

interface Compiles {
  compile(builder: unknown): { readonly sql: string; readonly parameters: readonly unknown[] };
}

export class HookedDatabase extends Database {
  /** Comes before each COMMIT; the transaction waits for it, and is rolled back by what it throws. */
  beforeCommit: ((written: Written) => void | Promise<void>) | undefined;

  override write<T>(options: WriteOptions, work: (tx: WriteTransaction) => Promise<T>): Promise<T> {
    return super.write(options, async (tx) => {
      const texts: string[] = [];
      const result = await work({
        ...tx,
        run: (statement) => {
          const { sql, parameters } = (statement as Compiles).compile(query);
          texts.push(sql + JSON.stringify(parameters));
          return tx.run(statement);
        },
      });
      await this.beforeCommit?.({
        mentions: (part) => texts.some((text) => text.includes(part)),
        statements: texts.length,
      });
      return result;
    });
  }

  /** Does this once, before the next COMMIT of a transaction that mentions `table`. */
  once(table: string, action: () => void | Promise<void>): void {
    this.beforeCommit = (written) => {
      if (!written.mentions(table)) return undefined;
      this.beforeCommit = undefined;
      return action();
    };
  }
}
