-- Hosts the backend has reported, what operators want of them, and drains that are under way.

CREATE TABLE hosts (
  host text PRIMARY KEY,
  agent_id text NOT NULL,
  attributes jsonb NOT NULL,
  mode text NOT NULL DEFAULT 'NONE' CHECK (mode IN ('NONE', 'SCHEDULED', 'DRAINING', 'DRAINED')),
  mode_changed_at timestamptz,
  mode_changed_by text,
  first_seen_at timestamptz NOT NULL DEFAULT shim_clock(),
  last_seen_at timestamptz NOT NULL DEFAULT shim_clock()
);
COMMENT ON TABLE hosts IS
  'Every machine the backend ever reported. The scheduler reads the modes when it starts; change them through the API.';
COMMENT ON COLUMN hosts.host IS 'Host name, as in tasks.slave_host.';
COMMENT ON COLUMN hosts.agent_id IS 'Id of the agent on it, as in tasks.slave_id.';
COMMENT ON COLUMN hosts.attributes IS
  'What constraints are matched with, by name: {"host": ["a"], "rack": ["r1"]}.';
COMMENT ON COLUMN hosts.mode IS
  'NONE: takes tasks. SCHEDULED: takes them only where no other host does. DRAINING: takes none, and its tasks are moved away. DRAINED: none are left.';
COMMENT ON COLUMN hosts.mode_changed_at IS
  'When it came into this mode, on the clock of Postgres; empty where nobody ever changed it.';
COMMENT ON COLUMN hosts.mode_changed_by IS
  'Who changed it; empty where the scheduler did, because the last task was gone.';
COMMENT ON COLUMN hosts.first_seen_at IS 'When the backend first reported it, on the clock of Postgres.';
COMMENT ON COLUMN hosts.last_seen_at IS
  'When the backend last announced it: at a start of either, or at a change. Not a sign of life.';

CREATE TABLE host_maintenance_requests (
  host text PRIMARY KEY,
  default_sla_policy jsonb,
  timeout_secs bigint NOT NULL,
  created_at timestamptz NOT NULL DEFAULT shim_clock(),
  created_by text NOT NULL
);
COMMENT ON TABLE host_maintenance_requests IS
  'How hosts are to be drained, one row each; a later request replaces an earlier one. Goes when the last task of the host has ended, or with endMaintenance. Also for hosts the backend never reported.';
COMMENT ON COLUMN host_maintenance_requests.host IS 'Host name; not every one has a row in hosts.';
COMMENT ON COLUMN host_maintenance_requests.default_sla_policy IS
  'SlaPolicy for tasks that have none of their own; empty: those are drained at once.';
COMMENT ON COLUMN host_maintenance_requests.timeout_secs IS
  'So long after created_at tasks are drained whatever their SLA says; 0 (drainHosts) or less: from the start.';
COMMENT ON COLUMN host_maintenance_requests.created_at IS 'When it was asked for, on the clock of Postgres.';
COMMENT ON COLUMN host_maintenance_requests.created_by IS 'Who asked.';

CREATE INDEX tasks_active_by_host ON tasks (slave_host)
  WHERE slave_host IS NOT NULL AND removed_at IS NULL
    AND status IN ('PENDING', 'STARTING', 'RUNNING', 'KILLING', 'ASSIGNED', 'RESTARTING', 'PREEMPTING',
                   'THROTTLED', 'DRAINING', 'PARTITIONED');
COMMENT ON INDEX tasks_active_by_host IS 'What still holds a host: for drains.';

CREATE VIEW host_maintenance AS
SELECT host, h.agent_id, coalesce(h.mode, 'UNKNOWN') AS mode, h.mode_changed_at, h.mode_changed_by,
       r.default_sla_policy, r.created_at AS requested_at, r.created_by AS requested_by,
       CASE WHEN abs(r.timeout_secs) < 100 * 366 * 86400::bigint
         THEN r.created_at + r.timeout_secs * interval '1 second' END AS forced_at,
       coalesce(t.active_tasks, 0) AS active_tasks, coalesce(t.ending_tasks, 0) AS ending_tasks,
       h.last_seen_at
  FROM hosts h
  FULL JOIN host_maintenance_requests r USING (host)
  LEFT JOIN (SELECT slave_host AS host, count(*) AS active_tasks,
                    count(*) FILTER (WHERE status IN ('DRAINING', 'KILLING', 'RESTARTING', 'PREEMPTING'))
                      AS ending_tasks
               FROM tasks
              WHERE slave_host IS NOT NULL AND removed_at IS NULL
                AND status IN ('PENDING', 'STARTING', 'RUNNING', 'KILLING', 'ASSIGNED', 'RESTARTING',
                               'PREEMPTING', 'THROTTLED', 'DRAINING', 'PARTITIONED')
              GROUP BY slave_host) t USING (host);
COMMENT ON VIEW host_maintenance IS
  'Hosts, their modes and drains, and how many tasks each still has.';
COMMENT ON COLUMN host_maintenance.host IS 'Host name, as in tasks.slave_host.';
COMMENT ON COLUMN host_maintenance.agent_id IS 'Id of the agent on it, as in tasks.slave_id.';
COMMENT ON COLUMN host_maintenance.mode IS
  'As in hosts; UNKNOWN where there is a request for a host the backend never reported.';
COMMENT ON COLUMN host_maintenance.mode_changed_at IS 'When it came into this mode.';
COMMENT ON COLUMN host_maintenance.mode_changed_by IS
  'Who changed it; empty where the scheduler did, because the last task was gone.';
COMMENT ON COLUMN host_maintenance.default_sla_policy IS
  'What the drain spares: SlaPolicy for tasks that have none of their own.';
COMMENT ON COLUMN host_maintenance.requested_at IS 'When the drain was asked for; empty where there is no request.';
COMMENT ON COLUMN host_maintenance.requested_by IS 'Who asked for it.';
COMMENT ON COLUMN host_maintenance.forced_at IS
  'From when on no SLA holds the drain up; empty where that is a century away.';
COMMENT ON COLUMN host_maintenance.active_tasks IS 'Tasks on the host that have not ended.';
COMMENT ON COLUMN host_maintenance.ending_tasks IS 'Those of them that were told to end.';
COMMENT ON COLUMN host_maintenance.last_seen_at IS 'When the backend last announced the host.';

DO $$
BEGIN
  IF EXISTS (SELECT 1 FROM pg_roles WHERE rolname = 'aurora_shim_auditor') THEN
    GRANT SELECT ON hosts, host_maintenance_requests, host_maintenance TO aurora_shim_auditor;
  END IF;
END $$;
