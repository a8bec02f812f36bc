/** The ceiling: tick-like transactions by a bare pg loop, without an engine. */
import { randomUUID } from 'node:crypto';
import { Client } from 'pg';

export interface Ceiling {
  /** One connection, one transaction after the other. */
  readonly msPerTransaction: number;
  /** Eight connections at once. */
  readonly perSecond: number;
}

const CONNECTIONS = 8;

export async function measureCeiling(url: string, transactions: number): Promise<Ceiling> {
  const clients = Array.from({ length: CONNECTIONS }, () => new Client({ connectionString: url }));
  await Promise.all(clients.map((client) => client.connect()));
  const [first] = clients as [Client, ...Client[]];
  await first.query(`
    CREATE TABLE ceiling_rows (id int PRIMARY KEY, status text, revision bigint DEFAULT 0);
    CREATE TABLE ceiling_events (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, row_id int,
      status text, happened_at timestamptz DEFAULT now(), message text);
    CREATE INDEX ON ceiling_events (row_id, id);
    INSERT INTO ceiling_rows (id, status) SELECT n, 'RUNNING' FROM generate_series(1, 1000) n`);
  const { rows } = await first.query<{ epoch: string }>('SELECT shim_take_over() AS epoch');
  const epoch = Number(rows[0]?.epoch);
  const one = (client: Client, index: number): Promise<void> => transaction(client, epoch, index);
  for (let index = 0; index < 200; index++) await one(first, index);
  let began = performance.now();
  for (let index = 0; index < transactions; index++) await one(first, index);
  const msPerTransaction = (performance.now() - began) / transactions;
  began = performance.now();
  await Promise.all(
    clients.map(async (client, offset) => {
      for (let index = 0; index < transactions / 4; index++)
        await one(client, offset * 100 + index);
    }),
  );
  const perSecond = (CONNECTIONS * (transactions / 4) * 1_000) / (performance.now() - began);
  await first.query('DROP TABLE ceiling_rows, ceiling_events');
  await Promise.all(clients.map((client) => client.end()));
  console.log(
    `ceiling, bare pg: ${msPerTransaction.toFixed(2)} ms for each transaction of 6 statements one by one, ` +
      `${perSecond.toFixed(0)}/s on ${CONNECTIONS} connections\n`,
  );
  return { msPerTransaction, perSecond };
}

/** Fence, row lock, one task read, one task changed with its event, the update's row and two events. */
async function transaction(client: Client, epoch: number, index: number): Promise<void> {
  const row = 1 + (index % 1_000);
  await client.query(`BEGIN; SELECT shim_begin_write(${epoch}, '${randomUUID()}', 5000)`);
  await client.query('SELECT * FROM ceiling_rows WHERE id = $1 FOR UPDATE', [row]);
  await client.query(
    'SELECT r.*, e.* FROM ceiling_rows r LEFT JOIN LATERAL (SELECT * FROM ceiling_events x WHERE x.row_id = r.id ORDER BY x.id DESC LIMIT 1) e ON true WHERE r.id = ANY ($1::int[])',
    [[row]],
  );
  await client.query(`UPDATE ceiling_rows SET status = 'KILLING' WHERE id = ANY ($1::int[])`, [
    [row],
  ]);
  await client.query(
    `INSERT INTO ceiling_events (row_id, status) SELECT * FROM unnest($1::int[], $2::text[]) RETURNING id`,
    [[row], ['KILLING']],
  );
  await client.query(
    `WITH e AS (INSERT INTO ceiling_events (row_id, status) VALUES ($1, 'a'), ($1, 'b'))
     UPDATE ceiling_rows SET revision = revision + 1 WHERE id = $1 RETURNING revision`,
    [row],
  );
  await client.query('COMMIT');
}
