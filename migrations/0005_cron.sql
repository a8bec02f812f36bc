-- Cron jobs: what is started on a schedule, and runs that wait for the former one to end.

CREATE TABLE cron_jobs (
  role text NOT NULL,
  environment text NOT NULL,
  job_name text NOT NULL,
  config_hash text NOT NULL REFERENCES task_configs (hash),
  schedule text NOT NULL,
  collision_policy text CHECK (collision_policy IN ('KILL_EXISTING', 'CANCEL_NEW', 'RUN_OVERLAP')),
  instance_count integer NOT NULL CHECK (instance_count > 0),
  owner_user text,
  created_by text NOT NULL,
  created_at timestamptz NOT NULL,
  changed_by text NOT NULL,
  changed_at timestamptz NOT NULL,
  PRIMARY KEY (role, environment, job_name),
  FOREIGN KEY (role, environment, job_name) REFERENCES jobs (role, environment, name)
);
COMMENT ON TABLE cron_jobs IS
  'Cron templates: one row for each job that is started on a schedule. The scheduler reads them when it starts; change them through the API.';
COMMENT ON COLUMN cron_jobs.role IS 'Role of the job key.';
COMMENT ON COLUMN cron_jobs.environment IS 'Environment of the job key.';
COMMENT ON COLUMN cron_jobs.job_name IS 'Name of the job key.';
COMMENT ON COLUMN cron_jobs.config_hash IS 'Configuration of every task the next run starts.';
COMMENT ON COLUMN cron_jobs.schedule IS
  'Five crontab fields as the client sent them, in the time zone of --cron_timezone.';
COMMENT ON COLUMN cron_jobs.collision_policy IS
  'What happens when tasks of the former run are still active. Empty, as the client left it: KILL_EXISTING. RUN_OVERLAP, in imported jobs only, does nothing.';
COMMENT ON COLUMN cron_jobs.instance_count IS 'Tasks a run starts, with the ids from 0 on.';
COMMENT ON COLUMN cron_jobs.owner_user IS 'JobConfiguration.owner, where one was given.';
COMMENT ON COLUMN cron_jobs.created_by IS 'Who scheduled the job first, since it was last descheduled.';
COMMENT ON COLUMN cron_jobs.created_at IS 'When that was, on the wall clock of the scheduler.';
COMMENT ON COLUMN cron_jobs.changed_by IS 'Who last replaced the template, or created it.';
COMMENT ON COLUMN cron_jobs.changed_at IS 'When that was, on the wall clock of the scheduler.';

CREATE TABLE cron_follow_ups (
  role text NOT NULL,
  environment text NOT NULL,
  job_name text NOT NULL,
  config_hash text NOT NULL REFERENCES task_configs (hash),
  instance_count integer NOT NULL CHECK (instance_count > 0),
  waits_for text[] NOT NULL,
  triggered_at timestamptz NOT NULL,
  PRIMARY KEY (role, environment, job_name),
  FOREIGN KEY (role, environment, job_name) REFERENCES jobs (role, environment, name)
);
COMMENT ON TABLE cron_follow_ups IS
  'Runs that KILL_EXISTING holds back: they start once the tasks that were killed for them have ended. Written with the kills, deleted with the start.';
COMMENT ON COLUMN cron_follow_ups.role IS 'Role of the job key.';
COMMENT ON COLUMN cron_follow_ups.environment IS 'Environment of the job key.';
COMMENT ON COLUMN cron_follow_ups.job_name IS 'Name of the job key.';
COMMENT ON COLUMN cron_follow_ups.config_hash IS
  'Configuration at the time of the trigger; replacing the template does not change it.';
COMMENT ON COLUMN cron_follow_ups.instance_count IS 'Tasks to start, likewise as triggered.';
COMMENT ON COLUMN cron_follow_ups.waits_for IS 'Ids of the tasks of the former run.';
COMMENT ON COLUMN cron_follow_ups.triggered_at IS
  'When the run was due or asked for, on the wall clock of the scheduler.';

COMMENT ON TABLE jobs IS 'Every job key that ever had a task, an update or a cron schedule.';
