-- Words for everything that had none; and who only reads may not call the functions of the scheduler.

-- ---------------------------------------------------------------------------------------------------
-- Time, fencing, lease

COMMENT ON COLUMN scheduler_fence.id IS 'Always 1: the table has one row.';
COMMENT ON COLUMN scheduler_fence.epoch IS
  'Counts takeovers, from 0; every write transaction names the one it was begun under.';
COMMENT ON COLUMN write_receipts.id IS 'Drawn by the scheduler for one write transaction.';
COMMENT ON COLUMN write_receipts.written_at IS
  'Start of that transaction on the clock of Postgres; rows are deleted minutes later.';
COMMENT ON INDEX write_receipts_written_at IS 'Finds receipts old enough to be deleted.';
COMMENT ON COLUMN scheduler_lease.id IS 'Always 1: the table has one row.';

-- ---------------------------------------------------------------------------------------------------
-- Jobs, configs, tasks

COMMENT ON COLUMN jobs.role IS 'First part of the job key role/environment/name: who owns the job.';
COMMENT ON COLUMN jobs.environment IS 'Second part of the job key, such as prod, test or devel.';
COMMENT ON COLUMN jobs.name IS 'Third part of the job key; job_name in other tables.';
COMMENT ON COLUMN jobs.created_at IS 'When the key was first used, on the clock of Postgres.';
COMMENT ON COLUMN task_configs.created_at IS
  'When the configuration was first stored, on the clock of Postgres.';

COMMENT ON COLUMN tasks.task_id IS 'Id that clients and the backend know this generation by; never used again.';
COMMENT ON COLUMN tasks.role IS 'Role of the job key.';
COMMENT ON COLUMN tasks.environment IS 'Environment of the job key.';
COMMENT ON COLUMN tasks.job_name IS 'Name of the job key.';
COMMENT ON COLUMN tasks.instance_id IS 'Number of the instance in its job, from 0 on.';
COMMENT ON COLUMN tasks.config_hash IS 'What the task runs: a row of task_configs.';
COMMENT ON COLUMN tasks.status IS
  'A ScheduleStatus of Aurora; that of the newest event of the task. A tombstone keeps its last one.';
COMMENT ON COLUMN tasks.slave_host IS 'Host name of the machine it was placed on; empty until it is ASSIGNED.';
COMMENT ON COLUMN tasks.slave_id IS 'Id of the agent on that machine; empty until it is ASSIGNED.';
COMMENT ON COLUMN tasks.assigned_ports IS
  'Ports given to the task there, by the names it asked for: {"http": 31337}.';
COMMENT ON COLUMN tasks.times_partitioned IS 'How often the task was PARTITIONED: its machine was not heard of.';
COMMENT ON COLUMN tasks.created_at IS 'When the row was made, on the clock of Postgres.';
COMMENT ON COLUMN tasks.removed_at IS
  'When a task without a host was killed, on the clock of Postgres. Such a task has no KILLED event; this is its end. Empty for all others.';
COMMENT ON COLUMN tasks.removed_reason IS
  'Why that was, in the words a KILLING event would have had; empty where nobody gave any.';
COMMENT ON INDEX tasks_by_job IS 'All generations of a job or of one of its instances.';

COMMENT ON COLUMN task_events.id IS 'Order of the events, of all tasks together; has gaps.';
COMMENT ON COLUMN task_events.task_id IS 'The task it happened to.';
COMMENT ON COLUMN task_events.status IS 'The ScheduleStatus the task had from here on.';
COMMENT ON COLUMN task_events.message IS
  'Who asked for it or what the backend said of it, as clients see it; may be empty.';
COMMENT ON COLUMN task_events.scheduler IS 'Host name of the scheduler that recorded it.';
COMMENT ON INDEX task_events_by_task IS 'The events of a task in their order, and its newest.';
COMMENT ON SEQUENCE task_events_id_seq IS 'Numbers the events of tasks.';

-- ---------------------------------------------------------------------------------------------------
-- Job updates

COMMENT ON COLUMN job_updates.update_id IS 'UUID drawn when the update was started; with the job key it names the update.';
COMMENT ON COLUMN job_updates.role IS 'Role of the job key.';
COMMENT ON COLUMN job_updates.environment IS 'Environment of the job key.';
COMMENT ON COLUMN job_updates.job_name IS 'Name of the job key.';
COMMENT ON COLUMN job_updates.user_name IS 'Who started the update.';
COMMENT ON COLUMN job_updates.settings IS
  'How to go about it, as one object: strategy (kind, sizes of batches), failures allowed, minWaitInRunningMs, rollbackOnFailure, onlyTheseInstances, slaAware, pulseTimeoutMs.';
COMMENT ON COLUMN job_updates.desired_config_hash IS
  'Configuration the instances shall have: a row of task_configs. Empty where the update only removes instances.';
COMMENT ON COLUMN job_updates.metadata IS
  'What the starter attached, as sent: [{"key": "...", "value": "..."}, ...].';
COMMENT ON COLUMN job_updates.last_event_at IS 'happened_at of the newest row of job_update_events.';
COMMENT ON INDEX job_updates_by_job IS 'Updates of a job, the one changed last first.';
COMMENT ON INDEX job_updates_by_modified IS 'All updates, the one changed last first.';

COMMENT ON COLUMN job_update_initial_configs.update_id IS 'The update that found it so when it was started.';
COMMENT ON COLUMN job_update_initial_configs.config_hash IS 'The old configuration: a row of task_configs.';
COMMENT ON COLUMN job_update_initial_configs.instances IS
  'Instances that had it, as closed ranges of ids: [[first, last], ...].';

COMMENT ON COLUMN job_update_events.id IS
  'Order of the history, shared with job_instance_update_events; has gaps.';
COMMENT ON COLUMN job_update_events.update_id IS 'The update whose status changed.';
COMMENT ON COLUMN job_update_events.status IS
  'The JobUpdateStatus from here on. The AWAITING_PULSE ones are here from the first action that was refused.';
COMMENT ON COLUMN job_update_events.happened_at IS
  'Wall time of the scheduler; never before an older event of the update.';
COMMENT ON COLUMN job_update_events.user_name IS
  'Who asked for the change; empty where the scheduler made it by itself.';
COMMENT ON COLUMN job_update_events.message IS 'What that person said, or the reason the scheduler had.';
COMMENT ON COLUMN job_update_events.recorded_at IS
  'The same moment on the clock of Postgres; ages are measured by it.';
COMMENT ON INDEX job_update_events_by_update IS 'The events of an update in their order, and its newest.';

COMMENT ON COLUMN job_instance_update_events.id IS
  'Order of the history, shared with job_update_events; has gaps.';
COMMENT ON COLUMN job_instance_update_events.update_id IS 'The update that did it.';
COMMENT ON COLUMN job_instance_update_events.instance_id IS 'Number of the instance in its job, from 0 on.';
COMMENT ON COLUMN job_instance_update_events.action IS
  'The JobUpdateAction. A row with a message repeats the action in hand, to tell something of it.';
COMMENT ON COLUMN job_instance_update_events.happened_at IS
  'Wall time of the scheduler; never before an older event of the update.';
COMMENT ON COLUMN job_instance_update_events.message IS 'A note, such as the answer of an SLA check; mostly empty.';
COMMENT ON COLUMN job_instance_update_events.recorded_at IS
  'The same moment on the clock of Postgres; ages are measured by it.';
COMMENT ON INDEX job_instance_update_events_by_update IS 'What an update did, in order.';

-- ---------------------------------------------------------------------------------------------------
-- Commands to the backend

COMMENT ON COLUMN backend_commands.id IS 'Order in which the commands of a task are given; has gaps.';
COMMENT ON COLUMN backend_commands.task_id IS 'The task to submit or to kill.';
COMMENT ON COLUMN backend_commands.kind IS 'submit: start it where it was placed. kill: end it.';
COMMENT ON COLUMN backend_commands.created_at IS
  'When it was decided, on the clock of Postgres. Old rows: the backend does not take them.';
COMMENT ON INDEX backend_commands_by_task IS 'Whether anything is left to be told about a task.';
COMMENT ON SEQUENCE backend_commands_id_seq IS 'Numbers the commands.';

COMMENT ON TRIGGER append_only ON task_events IS 'Only shim_prune_tasks deletes.';
COMMENT ON TRIGGER append_only ON job_update_events IS 'Only shim_prune_updates deletes.';
COMMENT ON TRIGGER append_only ON job_instance_update_events IS 'Only shim_prune_updates deletes.';

-- ---------------------------------------------------------------------------------------------------
-- Quotas and cron

COMMENT ON COLUMN quotas.role IS 'Role part of the job keys it holds for.';

-- ---------------------------------------------------------------------------------------------------
-- Views for auditors

COMMENT ON COLUMN update_timeline.role IS 'Role of the job key.';
COMMENT ON COLUMN update_timeline.environment IS 'Environment of the job key.';
COMMENT ON COLUMN update_timeline.job_name IS 'Name of the job key.';
COMMENT ON COLUMN update_timeline.update_id IS 'The update it happened in.';
COMMENT ON COLUMN update_timeline.happened_at IS 'Wall time of the scheduler; never goes back within an update.';
COMMENT ON COLUMN update_timeline.kind IS
  'update: the status of the whole update changed. instance: something was done to one instance.';
COMMENT ON COLUMN update_timeline.what IS 'JobUpdateStatus of an update event, JobUpdateAction of an instance event.';
COMMENT ON COLUMN update_timeline.instance_id IS 'Which instance, from 0 on; empty for update events.';
COMMENT ON COLUMN update_timeline.user_name IS 'Who asked for it; empty where the scheduler acted by itself.';
COMMENT ON COLUMN update_timeline.message IS 'What that person said, or the reason the scheduler had.';
COMMENT ON COLUMN update_timeline.seq IS 'Order of update and instance events among each other; has gaps.';

COMMENT ON COLUMN active_updates.role IS 'Role of the job key.';
COMMENT ON COLUMN active_updates.environment IS 'Environment of the job key.';
COMMENT ON COLUMN active_updates.job_name IS 'Name of the job key.';
COMMENT ON COLUMN active_updates.update_id IS 'The update; with the job key it names it to the API.';
COMMENT ON COLUMN active_updates.state IS
  'What was asked for: rolling or paused, forward or back. Says nothing of heartbeats.';
COMMENT ON COLUMN active_updates.last_event_status IS
  'Status of the newest event; an AWAITING_PULSE one means that an action was refused for want of a heartbeat.';
COMMENT ON COLUMN active_updates.coordinated IS 'It acts only while a monitor sends heartbeats.';
COMMENT ON COLUMN active_updates.pulse_timeout_ms IS
  'Age in ms from which on the newest heartbeat counts for nothing; 0 where none is needed.';
COMMENT ON COLUMN active_updates.started_by IS 'User that started it.';
COMMENT ON COLUMN active_updates.started_at IS 'Time of its first event, on the wall clock of the scheduler.';
COMMENT ON COLUMN active_updates.last_modified_at IS
  'Time of its newest update or instance event, on the wall clock of the scheduler.';
COMMENT ON COLUMN active_updates.metadata IS
  'What the starter attached, as sent: [{"key": "...", "value": "..."}, ...].';

COMMENT ON COLUMN explicit_pauses.role IS 'Role of the job key.';
COMMENT ON COLUMN explicit_pauses.environment IS 'Environment of the job key.';
COMMENT ON COLUMN explicit_pauses.job_name IS 'Name of the job key.';
COMMENT ON COLUMN explicit_pauses.update_id IS 'The update that was paused.';
COMMENT ON COLUMN explicit_pauses.status IS 'ROLL_FORWARD_PAUSED, or ROLL_BACK_PAUSED where it was on its way back.';
COMMENT ON COLUMN explicit_pauses.paused_at IS 'When it was paused, on the wall clock of the scheduler.';
COMMENT ON COLUMN explicit_pauses.paused_by IS 'Who paused it; empty where it paused itself between two batches.';
COMMENT ON COLUMN explicit_pauses.message IS 'The reason that was given.';
COMMENT ON COLUMN explicit_pauses.ended_at IS 'Time of the event that ended the pause; empty while it lasts.';
COMMENT ON COLUMN explicit_pauses.ended_by_status IS
  'Status the update went to: an active one (resumed, rolled back) or ABORTED. Empty while it lasts.';
COMMENT ON COLUMN explicit_pauses.ended_by IS 'Who ended it.';
COMMENT ON COLUMN explicit_pauses.lasted IS 'From paused_at to ended_at, or to now while it lasts.';

COMMENT ON COLUMN heartbeat_blocks.role IS 'Role of the job key.';
COMMENT ON COLUMN heartbeat_blocks.environment IS 'Environment of the job key.';
COMMENT ON COLUMN heartbeat_blocks.job_name IS 'Name of the job key.';
COMMENT ON COLUMN heartbeat_blocks.update_id IS 'The update that stood still.';
COMMENT ON COLUMN heartbeat_blocks.status IS
  'ROLL_FORWARD_AWAITING_PULSE, or ROLL_BACK_AWAITING_PULSE where it was on its way back.';
COMMENT ON COLUMN heartbeat_blocks.blocked_at IS
  'When the first action was refused, or the update began without a pulse; later than the moment the last pulse grew too old.';
COMMENT ON COLUMN heartbeat_blocks.unblocked_at IS 'Time of the event that ended the block; empty while it lasts.';
COMMENT ON COLUMN heartbeat_blocks.ended_by_status IS
  'ROLLING_FORWARD or ROLLING_BACK after a heartbeat, otherwise what somebody asked for. Empty while it lasts.';
COMMENT ON COLUMN heartbeat_blocks.ended_by IS 'Who ended it by a pause, abort or rollback; empty after a heartbeat.';
COMMENT ON COLUMN heartbeat_blocks.lasted IS 'From blocked_at to unblocked_at, or to now while it lasts.';

COMMENT ON COLUMN instance_progress.role IS 'Role of the job key.';
COMMENT ON COLUMN instance_progress.environment IS 'Environment of the job key.';
COMMENT ON COLUMN instance_progress.job_name IS 'Name of the job key.';
COMMENT ON COLUMN instance_progress.update_id IS 'The update that touched the instance.';
COMMENT ON COLUMN instance_progress.instance_id IS 'Number of the instance in its job, from 0 on.';
COMMENT ON COLUMN instance_progress.last_action IS
  'Where it is now: ..._UPDATING and ..._ROLLING_BACK are in hand, all others are done.';
COMMENT ON COLUMN instance_progress.first_touched_at IS 'Time of its first event in this update.';
COMMENT ON COLUMN instance_progress.last_touched_at IS 'Time of its newest event in this update.';
COMMENT ON COLUMN instance_progress.actions IS 'All its JobUpdateActions in this update, in order; notes repeat one.';

COMMENT ON COLUMN instance_history.role IS 'Role of the job key.';
COMMENT ON COLUMN instance_history.environment IS 'Environment of the job key.';
COMMENT ON COLUMN instance_history.job_name IS 'Name of the job key.';
COMMENT ON COLUMN instance_history.instance_id IS 'Number of the instance in its job, from 0 on.';
COMMENT ON COLUMN instance_history.task_id IS 'The generation it happened to.';
COMMENT ON COLUMN instance_history.happened_at IS
  'Wall time of the scheduler; never before an older event of the task.';
COMMENT ON COLUMN instance_history.status IS 'The ScheduleStatus the task had from here on.';
COMMENT ON COLUMN instance_history.message IS 'Who asked for it, or what the backend said of it.';
COMMENT ON COLUMN instance_history.slave_host IS
  'Machine of this generation, in all its rows; empty where it never had one.';
COMMENT ON COLUMN instance_history.config_hash IS 'What this generation ran: a row of task_configs.';
COMMENT ON COLUMN instance_history.ancestor_id IS
  'Task id of the generation it was rescheduled from; empty where an update or a user added it. That row may be pruned.';
COMMENT ON COLUMN instance_history.removed_at IS
  'When this generation was killed before it had a host, which leaves no event; empty for all others.';
COMMENT ON COLUMN instance_history.removed_reason IS 'Why that was.';
COMMENT ON COLUMN instance_history.seq IS 'Order of the events, of all tasks together; has gaps.';

COMMENT ON COLUMN update_blockers.role IS 'Role of the job key.';
COMMENT ON COLUMN update_blockers.environment IS 'Environment of the job key.';
COMMENT ON COLUMN update_blockers.job_name IS 'Name of the job key.';
COMMENT ON COLUMN update_blockers.update_id IS 'The update that waits.';
COMMENT ON COLUMN update_blockers.state IS
  'What was asked for: rolling or paused, forward or back. Says nothing of heartbeats.';
COMMENT ON COLUMN update_blockers.lasted IS 'From since to now.';
COMMENT ON COLUMN update_blockers.instance_id IS 'The instance in hand; empty for a pause or a missing heartbeat.';
COMMENT ON COLUMN update_blockers.task_id IS 'Active task of that instance; empty where it has none.';
COMMENT ON COLUMN update_blockers.metadata IS
  'What the starter of the update attached, such as where its monitor is: [{"key": "...", "value": "..."}, ...].';

-- ---------------------------------------------------------------------------------------------------
-- Bookkeeping of migrations

COMMENT ON COLUMN schema_migration.name IS 'File name without .sql; runs once.';
COMMENT ON COLUMN schema_migration.timestamp IS 'When it was run: ISO 8601, UTC.';
COMMENT ON COLUMN schema_migration_lock.id IS 'Always migration_lock: the table has one row.';
COMMENT ON COLUMN schema_migration_lock.is_locked IS 'Always 0: advisory locks are what counts on Postgres.';
COMMENT ON COLUMN schema_breaking_migration.name IS 'File name without .sql.';
COMMENT ON COLUMN schema_breaking_migration.reason IS
  'What an older release could not live with; part of its message when it refuses to start.';

-- ---------------------------------------------------------------------------------------------------
-- The scheduler's functions are the scheduler's. The owner (who ran the migrations) may always call them;
-- so may, as before, every role that was given leave to write.

REVOKE EXECUTE ON FUNCTION shim_begin_write(bigint, uuid, integer), shim_take_over(),
  shim_take_lease(bigint, bigint, uuid, integer, integer), shim_prune_tasks(text[]),
  shim_prune_updates(text[]) FROM PUBLIC;
DO $$
DECLARE
  writer text;
BEGIN
  FOR writer IN
    SELECT DISTINCT CASE a.grantee WHEN 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(a.grantee)) END
      FROM pg_class c CROSS JOIN LATERAL aclexplode(c.relacl) a
     WHERE c.oid = 'write_receipts'::regclass AND a.privilege_type = 'INSERT'
       AND a.grantee <> c.relowner
  LOOP
    EXECUTE 'GRANT EXECUTE ON FUNCTION shim_begin_write(bigint, uuid, integer), shim_take_over(), '
      'shim_take_lease(bigint, bigint, uuid, integer, integer), shim_prune_tasks(text[]), '
      'shim_prune_updates(text[]) TO ' || writer;
  END LOOP;
END $$;
