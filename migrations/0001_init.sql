-- The store of aurora-shim: what was asked for, what runs, and what happened (design D11 to D13).
-- Plain SQL, forward only; never edit a migration that has been released.

-- ---------------------------------------------------------------------------------------------------
-- Time and fencing

CREATE FUNCTION shim_clock() RETURNS timestamptz
  LANGUAGE sql VOLATILE AS 'SELECT clock_timestamp()';
COMMENT ON FUNCTION shim_clock() IS
  'The one clock of column defaults and of ages measured in SQL; tests replace it.';

CREATE TABLE scheduler_fence (
  id smallint PRIMARY KEY CHECK (id = 1),
  epoch bigint NOT NULL
);
COMMENT ON TABLE scheduler_fence IS
  'One row: the epoch of the scheduler that may write. Raised at each takeover; writes of an older epoch are refused.';
INSERT INTO scheduler_fence (id, epoch) VALUES (1, 0);

CREATE TABLE write_receipts (
  id uuid PRIMARY KEY,
  written_at timestamptz NOT NULL DEFAULT shim_clock()
);
COMMENT ON TABLE write_receipts IS
  'One row for each write transaction of the last minutes: tells whether a COMMIT whose answer was lost took effect.';
CREATE INDEX write_receipts_written_at ON write_receipts (written_at);

-- The advisory lock is shared among writers and taken exclusively by a takeover, which therefore waits
-- for the writers of the old epoch. The epoch is read in a statement of its own, so that its snapshot
-- is younger than the lock.
CREATE FUNCTION shim_begin_write(my_epoch bigint, receipt uuid, idle_timeout_ms integer)
  RETURNS void LANGUAGE plpgsql AS $$
DECLARE
  current_epoch bigint;
BEGIN
  PERFORM pg_advisory_xact_lock_shared(hashtext('aurora-shim fence'));
  SELECT epoch INTO current_epoch FROM scheduler_fence WHERE id = 1;
  IF current_epoch IS DISTINCT FROM my_epoch THEN
    RAISE EXCEPTION 'fenced: epoch % is over, the current one is %', my_epoch, current_epoch
      USING ERRCODE = 'SHF01';
  END IF;
  INSERT INTO write_receipts (id) VALUES (receipt);
  PERFORM set_config('idle_in_transaction_session_timeout', idle_timeout_ms::text, true);
END $$;
COMMENT ON FUNCTION shim_begin_write(bigint, uuid, integer) IS
  'First statement of every write transaction: refuses an old epoch, leaves a receipt, bounds how long the transaction may idle.';

CREATE FUNCTION shim_take_over() RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
  next_epoch bigint;
BEGIN
  PERFORM pg_advisory_xact_lock(hashtext('aurora-shim fence'));
  UPDATE scheduler_fence SET epoch = epoch + 1 WHERE id = 1 RETURNING epoch INTO next_epoch;
  RETURN next_epoch;
END $$;
COMMENT ON FUNCTION shim_take_over() IS
  'Raises the epoch after all writers of the old one have ended, and returns it.';

-- ---------------------------------------------------------------------------------------------------
-- Jobs, configs, tasks

CREATE TABLE jobs (
  role text NOT NULL,
  environment text NOT NULL,
  name text NOT NULL,
  created_at timestamptz NOT NULL DEFAULT shim_clock(),
  PRIMARY KEY (role, environment, name)
);
COMMENT ON TABLE jobs IS 'Every job key that ever had a task or an update.';

CREATE TABLE task_configs (
  hash text PRIMARY KEY,
  config jsonb NOT NULL,
  created_at timestamptz NOT NULL DEFAULT shim_clock()
);
COMMENT ON TABLE task_configs IS
  'Task configurations, each stored once; the same hash means the same configuration.';
COMMENT ON COLUMN task_configs.hash IS 'SHA-256 of the canonical JSON text.';
COMMENT ON COLUMN task_configs.config IS 'Field names of the Thrift struct TaskConfig.';

CREATE TABLE tasks (
  task_id text PRIMARY KEY,
  role text NOT NULL,
  environment text NOT NULL,
  job_name text NOT NULL,
  instance_id integer NOT NULL CHECK (instance_id >= 0),
  config_hash text NOT NULL REFERENCES task_configs (hash),
  status text NOT NULL CHECK (status IN
    ('INIT', 'THROTTLED', 'PENDING', 'ASSIGNED', 'STARTING', 'RUNNING', 'PREEMPTING', 'RESTARTING',
     'DRAINING', 'KILLING', 'PARTITIONED', 'FINISHED', 'FAILED', 'KILLED', 'LOST')),
  slave_host text,
  slave_id text,
  assigned_ports jsonb NOT NULL DEFAULT '{}',
  failure_count integer NOT NULL DEFAULT 0,
  times_partitioned integer NOT NULL DEFAULT 0,
  ancestor_id text,
  created_at timestamptz NOT NULL DEFAULT shim_clock(),
  removed_at timestamptz,
  removed_reason text,
  FOREIGN KEY (role, environment, job_name) REFERENCES jobs (role, environment, name)
);
COMMENT ON TABLE tasks IS
  'One row for each generation of an instance. Rows with removed_at are tombstones of tasks killed before they had a host; the API does not show them.';
COMMENT ON COLUMN tasks.ancestor_id IS 'Task id of the generation this one replaced; that row may be pruned.';
COMMENT ON COLUMN tasks.failure_count IS 'Runs that ended FAILED in this chain of generations.';
CREATE UNIQUE INDEX tasks_one_active_per_instance
  ON tasks (role, environment, job_name, instance_id)
  WHERE removed_at IS NULL
    AND status IN ('PENDING', 'STARTING', 'RUNNING', 'KILLING', 'ASSIGNED', 'RESTARTING', 'PREEMPTING',
                   'THROTTLED', 'DRAINING', 'PARTITIONED');
COMMENT ON INDEX tasks_one_active_per_instance IS 'An instance never has two active tasks.';
CREATE INDEX tasks_by_job ON tasks (role, environment, job_name, instance_id);

CREATE TABLE task_events (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  task_id text NOT NULL REFERENCES tasks (task_id) ON DELETE CASCADE,
  status text NOT NULL CHECK (status IN
    ('THROTTLED', 'PENDING', 'ASSIGNED', 'STARTING', 'RUNNING', 'PREEMPTING', 'RESTARTING', 'DRAINING',
     'KILLING', 'PARTITIONED', 'FINISHED', 'FAILED', 'KILLED', 'LOST')),
  happened_at timestamptz NOT NULL,
  message text,
  scheduler text,
  recorded_at timestamptz NOT NULL DEFAULT shim_clock()
);
COMMENT ON TABLE task_events IS 'What happened to each task, in order of id. Append-only.';
COMMENT ON COLUMN task_events.happened_at IS
  'Wall time of the scheduler when it processed the change; never before an older event of the task.';
COMMENT ON COLUMN task_events.recorded_at IS 'The same moment on the clock of Postgres; ages are measured by it.';
CREATE INDEX task_events_by_task ON task_events (task_id, id);

-- ---------------------------------------------------------------------------------------------------
-- Job updates

CREATE TABLE job_updates (
  update_id text PRIMARY KEY,
  role text NOT NULL,
  environment text NOT NULL,
  job_name text NOT NULL,
  user_name text NOT NULL,
  state text NOT NULL CHECK (state IN
    ('ROLLING_FORWARD', 'ROLLING_BACK', 'ROLL_FORWARD_PAUSED', 'ROLL_BACK_PAUSED', 'ROLLED_FORWARD',
     'ROLLED_BACK', 'ABORTED', 'ERROR', 'FAILED')),
  revision bigint NOT NULL DEFAULT 1,
  pulse_timeout_ms integer NOT NULL DEFAULT 0 CHECK (pulse_timeout_ms >= 0),
  settings jsonb NOT NULL,
  desired_config_hash text REFERENCES task_configs (hash),
  desired_instances jsonb,
  metadata jsonb NOT NULL DEFAULT '[]',
  autopause_released integer[] NOT NULL DEFAULT '{}',
  created_at timestamptz NOT NULL,
  last_modified_at timestamptz NOT NULL,
  last_event_status text NOT NULL,
  last_event_at timestamptz NOT NULL,
  FOREIGN KEY (role, environment, job_name) REFERENCES jobs (role, environment, name),
  CHECK ((desired_config_hash IS NULL) = (desired_instances IS NULL))
);
COMMENT ON TABLE job_updates IS 'Job updates and their explicit state: what somebody asked for, and nothing else.';
COMMENT ON COLUMN job_updates.state IS
  'Explicit state. The two AWAITING_PULSE statuses are never stored here: they are what readers see while no heartbeat is fresh.';
COMMENT ON COLUMN job_updates.revision IS 'Raised by every write to this update.';
COMMENT ON COLUMN job_updates.pulse_timeout_ms IS
  'blockIfNoPulsesAfterMs: without a pulse for this long nothing is done. 0: the update needs no pulses.';
COMMENT ON COLUMN job_updates.desired_instances IS 'Closed ranges of instance ids, [[first, last], ...].';
COMMENT ON COLUMN job_updates.autopause_released IS 'Instances let through an autopause barrier already.';
COMMENT ON COLUMN job_updates.created_at IS 'Time of the first update event.';
COMMENT ON COLUMN job_updates.last_modified_at IS 'Time of the newest update or instance event.';
COMMENT ON COLUMN job_updates.last_event_status IS 'Status of the newest row of job_update_events.';
CREATE UNIQUE INDEX job_updates_one_active_per_job
  ON job_updates (role, environment, job_name)
  WHERE state IN ('ROLLING_FORWARD', 'ROLLING_BACK', 'ROLL_FORWARD_PAUSED', 'ROLL_BACK_PAUSED');
COMMENT ON INDEX job_updates_one_active_per_job IS 'A job never has two active updates.';
CREATE INDEX job_updates_by_job ON job_updates (role, environment, job_name, last_modified_at DESC);
CREATE INDEX job_updates_by_modified ON job_updates (last_modified_at DESC, update_id);

CREATE TABLE job_update_initial_configs (
  update_id text NOT NULL REFERENCES job_updates (update_id) ON DELETE CASCADE,
  config_hash text NOT NULL REFERENCES task_configs (hash),
  instances jsonb NOT NULL,
  PRIMARY KEY (update_id, config_hash)
);
COMMENT ON TABLE job_update_initial_configs IS
  'What an update replaces: each old config and the closed ranges of instances that had it.';

CREATE SEQUENCE update_history_seq;
COMMENT ON SEQUENCE update_history_seq IS
  'Numbers update and instance events alike, so that their order among each other is known.';

CREATE TABLE job_update_events (
  id bigint PRIMARY KEY DEFAULT nextval('update_history_seq'),
  update_id text NOT NULL REFERENCES job_updates (update_id) ON DELETE CASCADE,
  status text NOT NULL CHECK (status IN
    ('ROLLING_FORWARD', 'ROLLING_BACK', 'ROLL_FORWARD_PAUSED', 'ROLL_BACK_PAUSED', 'ROLLED_FORWARD',
     'ROLLED_BACK', 'ABORTED', 'ERROR', 'FAILED', 'ROLL_FORWARD_AWAITING_PULSE',
     'ROLL_BACK_AWAITING_PULSE')),
  happened_at timestamptz NOT NULL,
  user_name text,
  message text,
  recorded_at timestamptz NOT NULL DEFAULT shim_clock()
);
COMMENT ON TABLE job_update_events IS
  'Status changes of updates, in order of id. Append-only. user_name is set only where somebody asked for the change.';
CREATE INDEX job_update_events_by_update ON job_update_events (update_id, id);

CREATE TABLE job_instance_update_events (
  id bigint PRIMARY KEY DEFAULT nextval('update_history_seq'),
  update_id text NOT NULL REFERENCES job_updates (update_id) ON DELETE CASCADE,
  instance_id integer NOT NULL,
  action text NOT NULL CHECK (action IN
    ('INSTANCE_UPDATED', 'INSTANCE_ROLLED_BACK', 'INSTANCE_UPDATING', 'INSTANCE_ROLLING_BACK',
     'INSTANCE_UPDATE_FAILED', 'INSTANCE_ROLLBACK_FAILED')),
  happened_at timestamptz NOT NULL,
  message text,
  recorded_at timestamptz NOT NULL DEFAULT shim_clock()
);
COMMENT ON TABLE job_instance_update_events IS 'What updates did to instances, in order of id. Append-only.';
CREATE INDEX job_instance_update_events_by_update ON job_instance_update_events (update_id, id);
CREATE UNIQUE INDEX job_instance_update_events_once
  ON job_instance_update_events (update_id, instance_id, action) WHERE message IS NULL;
COMMENT ON INDEX job_instance_update_events_once IS
  'Each action at most once for an instance of an update; rows with a message are notes beside it.';

-- ---------------------------------------------------------------------------------------------------
-- Commands to the backend

CREATE TABLE backend_commands (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  task_id text NOT NULL,
  kind text NOT NULL CHECK (kind IN ('submit', 'kill')),
  created_at timestamptz NOT NULL DEFAULT shim_clock()
);
COMMENT ON TABLE backend_commands IS
  'What the cluster backend must still be told; written with the state change, deleted when the backend has taken it.';
CREATE INDEX backend_commands_by_task ON backend_commands (task_id);

-- ---------------------------------------------------------------------------------------------------
-- History can be added to, not rewritten

CREATE FUNCTION shim_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF current_setting('aurora_shim.pruning', true) = 'on' THEN
    RETURN NULL;
  END IF;
  RAISE EXCEPTION '% is append-only; % is not allowed', TG_TABLE_NAME, TG_OP
    USING ERRCODE = 'SHF02', HINT = 'Use shim_prune_tasks() or shim_prune_updates().';
END $$;
COMMENT ON FUNCTION shim_append_only() IS 'Keeps the event tables append-only, except inside the pruning functions.';

CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON task_events
  FOR EACH STATEMENT EXECUTE FUNCTION shim_append_only();
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON job_update_events
  FOR EACH STATEMENT EXECUTE FUNCTION shim_append_only();
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON job_instance_update_events
  FOR EACH STATEMENT EXECUTE FUNCTION shim_append_only();

CREATE FUNCTION shim_prune_tasks(task_ids text[]) RETURNS integer LANGUAGE plpgsql AS $$
DECLARE
  pruned integer;
BEGIN
  PERFORM set_config('aurora_shim.pruning', 'on', true);
  DELETE FROM tasks WHERE task_id = ANY (task_ids);
  GET DIAGNOSTICS pruned = ROW_COUNT;
  PERFORM set_config('aurora_shim.pruning', 'off', true);
  RETURN pruned;
END $$;
COMMENT ON FUNCTION shim_prune_tasks(text[]) IS 'Deletes tasks with their events; the only way to.';

CREATE FUNCTION shim_prune_updates(update_ids text[]) RETURNS integer LANGUAGE plpgsql AS $$
DECLARE
  pruned integer;
BEGIN
  PERFORM set_config('aurora_shim.pruning', 'on', true);
  DELETE FROM job_updates WHERE update_id = ANY (update_ids);
  GET DIAGNOSTICS pruned = ROW_COUNT;
  PERFORM set_config('aurora_shim.pruning', 'off', true);
  RETURN pruned;
END $$;
COMMENT ON FUNCTION shim_prune_updates(text[]) IS 'Deletes updates with their events; the only way to.';

-- ---------------------------------------------------------------------------------------------------
-- Views for auditors

CREATE VIEW update_timeline AS
SELECT u.role, u.environment, u.job_name, e.update_id, e.happened_at, 'update' AS kind,
       e.status AS what, NULL::integer AS instance_id, e.user_name, e.message, e.id AS seq
  FROM job_update_events e JOIN job_updates u USING (update_id)
UNION ALL
SELECT u.role, u.environment, u.job_name, i.update_id, i.happened_at, 'instance', i.action,
       i.instance_id, NULL, i.message, i.id
  FROM job_instance_update_events i JOIN job_updates u USING (update_id);
COMMENT ON VIEW update_timeline IS
  'Everything that happened in updates; ORDER BY seq to read it as a story.';

CREATE VIEW active_updates AS
SELECT u.role, u.environment, u.job_name, u.update_id, u.state, u.last_event_status,
       u.pulse_timeout_ms > 0 AS coordinated, u.pulse_timeout_ms, u.user_name AS started_by,
       u.created_at AS started_at, u.last_modified_at, u.metadata
  FROM job_updates u
 WHERE u.state IN ('ROLLING_FORWARD', 'ROLLING_BACK', 'ROLL_FORWARD_PAUSED', 'ROLL_BACK_PAUSED');
COMMENT ON VIEW active_updates IS
  'Updates that have not ended. last_event_status tells a block for want of a heartbeat once an action was refused; heartbeats themselves are in no table.';

CREATE VIEW explicit_pauses AS
SELECT u.role, u.environment, u.job_name, e.update_id, e.status, e.happened_at AS paused_at,
       e.user_name AS paused_by, e.message, n.happened_at AS ended_at, n.status AS ended_by_status,
       n.user_name AS ended_by,
       coalesce(n.happened_at, shim_clock()) - e.happened_at AS lasted
  FROM job_update_events e
  JOIN job_updates u USING (update_id)
  LEFT JOIN LATERAL (
    SELECT x.happened_at, x.status, x.user_name FROM job_update_events x
     WHERE x.update_id = e.update_id AND x.id > e.id ORDER BY x.id LIMIT 1) n ON true
 WHERE e.status IN ('ROLL_FORWARD_PAUSED', 'ROLL_BACK_PAUSED');
COMMENT ON VIEW explicit_pauses IS
  'Who paused which update, with which message, and what ended the pause. paused_by is empty for automatic pauses between batches.';

CREATE VIEW heartbeat_blocks AS
SELECT u.role, u.environment, u.job_name, e.update_id, e.status, e.happened_at AS blocked_at,
       n.happened_at AS unblocked_at, n.status AS ended_by_status, n.user_name AS ended_by,
       coalesce(n.happened_at, shim_clock()) - e.happened_at AS lasted
  FROM job_update_events e
  JOIN job_updates u USING (update_id)
  LEFT JOIN LATERAL (
    SELECT x.happened_at, x.status, x.user_name FROM job_update_events x
     WHERE x.update_id = e.update_id AND x.id > e.id ORDER BY x.id LIMIT 1) n ON true
 WHERE e.status IN ('ROLL_FORWARD_AWAITING_PULSE', 'ROLL_BACK_AWAITING_PULSE');
COMMENT ON VIEW heartbeat_blocks IS
  'When an update was blocked for want of a heartbeat and for how long: from the first refused action to the event that ended it.';

CREATE VIEW instance_progress AS
SELECT u.role, u.environment, u.job_name, i.update_id, i.instance_id,
       (array_agg(i.action ORDER BY i.id DESC))[1] AS last_action,
       min(i.happened_at) AS first_touched_at, max(i.happened_at) AS last_touched_at,
       array_agg(i.action ORDER BY i.id) AS actions
  FROM job_instance_update_events i JOIN job_updates u USING (update_id)
 GROUP BY u.role, u.environment, u.job_name, i.update_id, i.instance_id;
COMMENT ON VIEW instance_progress IS 'How far each touched instance of each update is.';

CREATE VIEW instance_history AS
SELECT t.role, t.environment, t.job_name, t.instance_id, t.task_id, e.happened_at, e.status, e.message,
       t.slave_host, t.config_hash, t.ancestor_id, t.removed_at, t.removed_reason, e.id AS seq
  FROM tasks t JOIN task_events e USING (task_id);
COMMENT ON VIEW instance_history IS
  'All generations of all instances with their events; ORDER BY seq. Tombstones of tasks killed while PENDING included.';

-- ---------------------------------------------------------------------------------------------------
-- A role for auditors: reads everything, changes nothing

DO $$
BEGIN
  IF NOT EXISTS (SELECT 1 FROM pg_roles WHERE rolname = 'aurora_shim_auditor') THEN
    CREATE ROLE aurora_shim_auditor NOLOGIN;
  END IF;
EXCEPTION
  WHEN duplicate_object OR unique_violation THEN NULL;
  WHEN insufficient_privilege THEN
    RAISE NOTICE 'role aurora_shim_auditor was not created: no permission';
END $$;
DO $$
BEGIN
  IF EXISTS (SELECT 1 FROM pg_roles WHERE rolname = 'aurora_shim_auditor') THEN
    GRANT USAGE ON SCHEMA public TO aurora_shim_auditor;
    GRANT SELECT ON ALL TABLES IN SCHEMA public TO aurora_shim_auditor;
    ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT SELECT ON TABLES TO aurora_shim_auditor;
  END IF;
END $$;
