/** Rows as a busy cluster leaves them, by SQL alone: far quicker than having them happen. */
import type { Client } from 'pg';
import type { TaskConfig } from '../../src/core/model/config.js';
import { ConfigStore } from '../../src/store/configs.js';
import { aConfig, aSettings } from '../support/builders.js';

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
  return aConfig(
    data.replace('"cmdline":""', `"cmdline":"${'x'.repeat(DATA_BYTES - data.length)}"`),
    {
      job,
      constraints: [{ name: 'host', constraint: { limit: { limit: 100_000 } } }],
      metadata: [
        { key: 'team', value: 'bench' },
        { key: 'version', value: '1.2.3' },
      ],
      ...more,
    },
  );
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

/** A coordinated update of each of these jobs that rolls: what is stored while its monitor pulses. */
export async function seedUpdates(client: Client, prefix: string): Promise<void> {
  const settings = { ...aSettings({ pulseTimeoutMs: 60_000 }) };
  await client.query(
    `INSERT INTO job_updates (update_id, role, environment, job_name, user_name, state,
       pulse_timeout_ms, settings, desired_config_hash, desired_instances, created_at,
       last_modified_at, last_event_status, last_event_at)
     SELECT md5(t.job_name)::uuid::text, t.role, t.environment, t.job_name, 'bench',
            'ROLLING_FORWARD', 60000, $1::jsonb, t.config_hash, '[[0, 9]]', now(), now(),
            'ROLLING_FORWARD', now()
       FROM tasks t WHERE t.job_name LIKE $2 AND t.instance_id = 0`,
    [JSON.stringify(settings), `${prefix}-%`],
  );
  await client.query(
    `INSERT INTO job_update_events (update_id, status, happened_at, user_name)
     SELECT update_id, 'ROLLING_FORWARD', created_at, 'bench' FROM job_updates`,
  );
}

/** Cron templates of jobs of their own, each due at another minute of the night. */
export async function seedCronJobs(client: Client, count: number): Promise<void> {
  const names = Array.from({ length: count }, (_, index) => `cron-${index}`);
  const { hash, config } = new ConfigStore().identify(configOf('cron'));
  await client.query(
    `INSERT INTO jobs (role, environment, name) SELECT $1, $2, unnest($3::text[])`,
    [ROLE, ENVIRONMENT, names],
  );
  await client.query('INSERT INTO task_configs (hash, config) VALUES ($1, $2)', [
    hash,
    JSON.stringify(config),
  ]);
  await client.query(
    `INSERT INTO cron_jobs (role, environment, job_name, config_hash, schedule, instance_count,
                            created_by, created_at, changed_by, changed_at)
     SELECT $1, $2, n, $4, ((row_number() OVER ()) % 60) || ' 3 1 1 *', 10, 'bench', now(), 'bench', now()
       FROM unnest($3::text[]) n`,
    [ROLE, ENVIRONMENT, names, hash],
  );
}
