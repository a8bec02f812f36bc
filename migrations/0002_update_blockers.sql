-- Why is an update not moving? What Postgres knows of the answer; the API's getJobUpdateBlockers knows the rest.

CREATE VIEW update_blockers AS
SELECT u.role, u.environment, u.job_name, u.update_id, u.state,
       CASE WHEN l.status IN ('ROLL_FORWARD_PAUSED', 'ROLL_BACK_PAUSED') THEN 'pause'
            ELSE 'heartbeat' END AS blocked_by,
       l.happened_at AS since, shim_clock() - l.happened_at AS lasted, l.user_name, l.message,
       NULL::integer AS instance_id, NULL::text AS task_id, NULL::text AS task_status, u.metadata
  FROM job_updates u
  JOIN LATERAL (
    SELECT e.status, e.happened_at, e.user_name, e.message FROM job_update_events e
     WHERE e.update_id = u.update_id ORDER BY e.id DESC LIMIT 1) l ON true
 WHERE u.state IN ('ROLLING_FORWARD', 'ROLLING_BACK', 'ROLL_FORWARD_PAUSED', 'ROLL_BACK_PAUSED')
   AND l.status IN ('ROLL_FORWARD_PAUSED', 'ROLL_BACK_PAUSED', 'ROLL_FORWARD_AWAITING_PULSE',
                    'ROLL_BACK_AWAITING_PULSE')
UNION ALL
SELECT u.role, u.environment, u.job_name, u.update_id, u.state, 'instance',
       coalesce(t.since, i.happened_at), shim_clock() - coalesce(t.since, i.happened_at), NULL, i.message,
       i.instance_id, t.task_id, t.status, u.metadata
  FROM job_updates u
  CROSS JOIN LATERAL (
    SELECT DISTINCT ON (e.instance_id) e.instance_id, e.action, e.happened_at, e.message
      FROM job_instance_update_events e
     WHERE e.update_id = u.update_id ORDER BY e.instance_id, e.id DESC) i
  LEFT JOIN LATERAL (
    SELECT a.task_id, a.status,
           (SELECT x.happened_at FROM task_events x WHERE x.task_id = a.task_id
             ORDER BY x.id DESC LIMIT 1) AS since
      FROM tasks a
     WHERE a.role = u.role AND a.environment = u.environment AND a.job_name = u.job_name
       AND a.instance_id = i.instance_id AND a.removed_at IS NULL
       AND a.status IN ('PENDING', 'STARTING', 'RUNNING', 'KILLING', 'ASSIGNED', 'RESTARTING',
                        'PREEMPTING', 'THROTTLED', 'DRAINING', 'PARTITIONED')) t ON true
 WHERE (u.state IN ('ROLLING_FORWARD', 'ROLL_FORWARD_PAUSED') AND i.action = 'INSTANCE_UPDATING')
    OR (u.state IN ('ROLLING_BACK', 'ROLL_BACK_PAUSED') AND i.action = 'INSTANCE_ROLLING_BACK');

COMMENT ON VIEW update_blockers IS
  'What active updates wait for, as far as it is stored: one row for a pause or a recorded block for want of a heartbeat, and one for each instance that is in hand. Heartbeats themselves are in no table: a block nobody has tried to act behind is not here; ask the API (getJobUpdateBlockers).';
COMMENT ON COLUMN update_blockers.blocked_by IS
  'pause: until somebody resumes. heartbeat: until the next one. instance: until its task is where it must be.';
COMMENT ON COLUMN update_blockers.since IS
  'Time of the pause, of the first refused action, or of the newest event of the instance''s task.';
COMMENT ON COLUMN update_blockers.user_name IS
  'Who paused, or who started or resumed an update that waits for a heartbeat since; empty where nobody did.';
COMMENT ON COLUMN update_blockers.message IS
  'Of the pause or block; of an instance the newest note, which tells of an SLA check.';
COMMENT ON COLUMN update_blockers.task_status IS
  'Of the active task of the instance; empty where it has none. RUNNING may mean that it is watched, or that the SLA has not let it be killed.';
