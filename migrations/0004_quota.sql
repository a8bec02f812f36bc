-- How much production tasks of a role may use (getQuota, setQuota).

CREATE TABLE quotas (
  role text PRIMARY KEY,
  cpus double precision NOT NULL CHECK (cpus >= 0),
  ram_mb bigint NOT NULL CHECK (ram_mb >= 0),
  disk_mb bigint NOT NULL CHECK (disk_mb >= 0),
  updated_at timestamptz NOT NULL DEFAULT shim_clock()
);
COMMENT ON TABLE quotas IS
  'What the tasks of a role in production tiers, on hosts that are not dedicated, may use together. A role without a row has no quota: it can run no such task.';
COMMENT ON COLUMN quotas.cpus IS 'Cores.';
COMMENT ON COLUMN quotas.ram_mb IS 'MiB.';
COMMENT ON COLUMN quotas.disk_mb IS 'MiB.';
COMMENT ON COLUMN quotas.updated_at IS 'When setQuota last wrote the row.';

DO $$
BEGIN
  IF EXISTS (SELECT 1 FROM pg_roles WHERE rolname = 'aurora_shim_auditor') THEN
    GRANT SELECT ON quotas TO aurora_shim_auditor;
  END IF;
END $$;
