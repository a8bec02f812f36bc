/** The tables as kysely sees them; migrations/ is the truth. */
import type { ColumnType, Generated, Selectable } from 'kysely';
import type {
  ExplicitUpdateStatus,
  ScheduleStatus,
  UpdateAction,
  UpdateStatus,
} from '../core/model/statuses.js';

/** Read as epoch milliseconds (see database.ts, type parsers); written as text or Date. */
export type Timestamp = ColumnType<number, Date | string, Date | string>;
type Json<T> = ColumnType<T, string, string>;

export interface TasksTable {
  task_id: string;
  role: string;
  environment: string;
  job_name: string;
  instance_id: number;
  config_hash: string;
  status: ScheduleStatus;
  slave_host: string | null;
  slave_id: string | null;
  assigned_ports: Json<Record<string, number>>;
  failure_count: number;
  times_partitioned: number;
  ancestor_id: string | null;
  created_at: Generated<Timestamp>;
  removed_at: Timestamp | null;
  removed_reason: string | null;
  /** Filled in by a trigger. */
  ended_at: Generated<Timestamp | null>;
}

/** A row of tasks as it is read. */
export type TaskColumns = Selectable<TasksTable>;

export interface TaskEventsTable {
  id: Generated<string>;
  task_id: string;
  status: ScheduleStatus;
  happened_at: Timestamp;
  message: string | null;
  scheduler: string | null;
  recorded_at: Generated<Timestamp>;
}

export interface JobUpdatesTable {
  update_id: string;
  role: string;
  environment: string;
  job_name: string;
  user_name: string;
  state: ExplicitUpdateStatus;
  revision: Generated<string>;
  pulse_timeout_ms: number;
  settings: Json<unknown>;
  desired_config_hash: string | null;
  desired_instances: Json<[number, number][]> | null;
  metadata: Json<unknown>;
  autopause_released: ColumnType<number[], string | undefined, string>;
  created_at: Timestamp;
  last_modified_at: Timestamp;
  last_event_status: UpdateStatus;
  last_event_at: Timestamp;
}

export interface JobUpdateEventsTable {
  id: Generated<string>;
  update_id: string;
  status: UpdateStatus;
  happened_at: Timestamp;
  user_name: string | null;
  message: string | null;
  recorded_at: Generated<Timestamp>;
}

export interface JobInstanceUpdateEventsTable {
  id: Generated<string>;
  update_id: string;
  instance_id: number;
  action: UpdateAction;
  happened_at: Timestamp;
  message: string | null;
  recorded_at: Generated<Timestamp>;
}

export interface CronJobsTable {
  role: string;
  environment: string;
  job_name: string;
  config_hash: string;
  schedule: string;
  collision_policy: 'KILL_EXISTING' | 'CANCEL_NEW' | 'RUN_OVERLAP' | null;
  instance_count: number;
  owner_user: string | null;
  created_by: string;
  created_at: Timestamp;
  changed_by: string;
  changed_at: Timestamp;
}

export interface CronFollowUpsTable {
  role: string;
  environment: string;
  job_name: string;
  config_hash: string;
  instance_count: number;
  waits_for: string[];
  triggered_at: Timestamp;
}

export interface Schema {
  scheduler_fence: { id: number; epoch: string };
  write_receipts: { id: string; written_at: Generated<Timestamp> };
  jobs: { role: string; environment: string; name: string; created_at: Generated<Timestamp> };
  task_configs: { hash: string; config: Json<unknown>; created_at: Generated<Timestamp> };
  tasks: TasksTable;
  task_events: TaskEventsTable;
  job_updates: JobUpdatesTable;
  job_update_initial_configs: {
    update_id: string;
    config_hash: string;
    instances: Json<[number, number][]>;
  };
  job_update_events: JobUpdateEventsTable;
  job_instance_update_events: JobInstanceUpdateEventsTable;
  cron_jobs: CronJobsTable;
  cron_follow_ups: CronFollowUpsTable;
  quotas: {
    role: string;
    cpus: number;
    ram_mb: string;
    disk_mb: string;
    updated_at: Generated<Timestamp>;
  };
  hosts: {
    host: string;
    agent_id: string;
    attributes: Json<Record<string, string[]>>;
    mode: Generated<'NONE' | 'SCHEDULED' | 'DRAINING' | 'DRAINED'>;
    mode_changed_at: Timestamp | null;
    mode_changed_by: string | null;
    first_seen_at: Generated<Timestamp>;
    last_seen_at: Generated<Timestamp>;
  };
  host_maintenance_requests: {
    host: string;
    default_sla_policy: Json<unknown>;
    timeout_secs: string;
    created_at: Generated<Timestamp>;
    created_by: string;
  };
  backend_commands: {
    id: Generated<string>;
    task_id: string;
    kind: 'submit' | 'kill';
    created_at: Generated<Timestamp>;
  };
}
