/** Rows as a busy cluster leaves them, by SQL alone: far quicker than having them happen. */
import type { Client } from 'pg';
import type { TaskConfig } from '../../src/core/model/config.js';
import { ConfigStore } from '../../src/store/configs.js';
import { aConfig } from '../support/builders.js';

export const ROLE = 'bench';
export const ENVIRONMENT = 'prod';
/** Bytes of `executorConfig.data`. */
const DATA_BYTES = 1_500;
/** What a RUNNING task has been through. */
const EVENTS = ['PENDING', 'ASSIGNED', 'STARTING', 'STARTING', 'STARTING', 'RUNNING'];

export interface Seed {
  /** Jobs are called `<prefix>-0` and so on; each has one config. */
  readonly prefix: string;
  readonly jobs: number;
  readonly tasksPerJob: number;
  /** Of RUNNING tasks; the last of `EVENTS` are taken. */
  readonly eventsPerTask: number;
}

export function configOf(name: string, more: Partial<TaskConfig> = {}): TaskConfig {
  const job = { role: ROLE, environment: ENVIRONMENT, name };
  const data = JSON.stringify({ task: { name, processes: [{ cmdline: '' }] } });
  return aConfig(data.replace('"cmdline":""', `"cmdline":"${'x'.repeat(DATA_BYTES - data.length)}"`), {
    job,
    constraints: [{ name: 'host', constraint: { limit: { limit: 100_000 } } }],
    metadata: [
      { key: 'team', value: 'bench' },
      { key: 'version', value: '1.2.3' },
    ],
    ...more,
  });
}

/** Stores the jobs with their configs and RUNNING tasks, which a scheduler that runs knows nothing of. */
export async function seedTasks(client: Client, seed: Seed): Promise<void> {
  const configs = new ConfigStore();
  const names = Array.from({ length: seed.jobs }, (_, index) => `${seed.prefix}-${index}`);
  for (let from = 0; from < names.length; from += 1_000) {
    const some = names.slice(from, from + 1_000);
    const stored = some.map((name) => configs.identify(configOf(name)));
    await client.query(
      `INSERT INTO jobs (role, environment, name) SELECT $1, $2, unnest($3::text[])
         ON CONFLICT DO NOTHING`,
      [ROLE, ENVIRONMENT, some],
    );
    await client.query(
      `INSERT INTO task_configs (hash, config)
       SELECT * FROM unnest($1::text[], $2::jsonb[]) ON CONFLICT DO NOTHING`,
      [stored.map(({ hash }) => hash), stored.map(({ config }) => JSON.stringify(config))],
    );
    await client.query(
      `INSERT INTO tasks (task_id, role, environment, job_name, instance_id, config_hash, status,
                          slave_host, slave_id)
       SELECT concat_ws('-', $1::text, $2::text, c.name, i, md5(c.name || '/' || i)::uuid), $1, $2,
              c.name, i, c.hash, 'RUNNING', 'localhost', 'agent-localhost'
         FROM unnest($3::text[], $4::text[]) AS c(name, hash), generate_series(0, $5::int - 1) i`,
      [ROLE, ENVIRONMENT, some, stored.map(({ hash }) => hash), seed.tasksPerJob],
    );
  }
  const statuses = EVENTS.slice(-seed.eventsPerTask);
  for (const [index, status] of statuses.entries()) {
    await client.query(
      `INSERT INTO task_events (task_id, status, happened_at, message, scheduler)
       SELECT task_id, $1, now() - make_interval(secs => $2::float8 - instance_id / 1000.0),
              CASE WHEN $1 = 'STARTING' THEN 'Sandbox created.' END, 'localhost'
         FROM tasks WHERE job_name LIKE $3 ORDER BY task_id`,
      [status, 3_600 - index, `${seed.prefix}-%`],
    );
  }
  await client.query('VACUUM ANALYZE');
}
