-- When each task ended, in the row itself: history is pruned by it (docs/audit.md says what is kept how
-- long), and without it finding the oldest ended tasks would mean reading the events of all.

ALTER TABLE tasks ADD COLUMN ended_at timestamptz;
COMMENT ON COLUMN tasks.ended_at IS
  'When the task became FINISHED, FAILED, KILLED or LOST, or its row a tombstone, on the clock of Postgres; empty while it is active. History is pruned by it.';

UPDATE tasks t
   SET ended_at = coalesce(t.removed_at, (SELECT max(e.recorded_at) FROM task_events e
                                           WHERE e.task_id = t.task_id), shim_clock())
 WHERE t.removed_at IS NOT NULL OR t.status IN ('FINISHED', 'FAILED', 'KILLED', 'LOST');

-- A trigger, so that it is filled in whoever writes: an older release during an upgrade, or a restore.
CREATE FUNCTION shim_task_ended() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  NEW.ended_at := shim_clock();
  RETURN NEW;
END $$;
COMMENT ON FUNCTION shim_task_ended() IS 'Notes when a task ended, where nobody has said it.';
REVOKE EXECUTE ON FUNCTION shim_task_ended() FROM PUBLIC;

CREATE TRIGGER task_ended BEFORE INSERT OR UPDATE OF status, removed_at ON tasks
  FOR EACH ROW WHEN (NEW.ended_at IS NULL AND (NEW.removed_at IS NOT NULL
    OR NEW.status IN ('FINISHED', 'FAILED', 'KILLED', 'LOST')))
  EXECUTE FUNCTION shim_task_ended();
COMMENT ON TRIGGER task_ended ON tasks IS 'Fills in ended_at.';

CREATE INDEX tasks_ended ON tasks (ended_at) WHERE ended_at IS NOT NULL;
COMMENT ON INDEX tasks_ended IS 'Finds what ended so long ago that it is forgotten, tombstones included.';
CREATE INDEX tasks_ended_of_job ON tasks (role, environment, job_name, ended_at, task_id)
  WHERE ended_at IS NOT NULL AND removed_at IS NULL;
COMMENT ON INDEX tasks_ended_of_job IS 'Finds the oldest ended tasks of a job that has more than it may keep.';
