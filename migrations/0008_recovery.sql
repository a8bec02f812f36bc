-- Recovery from a backup: what is staged beside the live tables, and how it takes their place.

CREATE TABLE recovery_session (
  id smallint PRIMARY KEY CHECK (id = 1),
  backup_id text NOT NULL,
  backup_created_at timestamptz NOT NULL,
  backup_cluster text NOT NULL,
  backup_schema text NOT NULL,
  staged_by text NOT NULL,
  staged_at timestamptz NOT NULL DEFAULT shim_clock()
);
COMMENT ON TABLE recovery_session IS
  'One row while a backup is staged in the schema recovery_staging, which has its tables; none otherwise.';
COMMENT ON COLUMN recovery_session.id IS 'Always 1: only one backup can be staged.';
COMMENT ON COLUMN recovery_session.backup_id IS 'Name of the file in --backup_dir.';
COMMENT ON COLUMN recovery_session.backup_created_at IS
  'When that backup was begun, on the wall clock of the scheduler that wrote it.';
COMMENT ON COLUMN recovery_session.backup_cluster IS 'The --cluster_name of the scheduler that wrote it.';
COMMENT ON COLUMN recovery_session.backup_schema IS 'Newest migration of the database it was taken from.';
COMMENT ON COLUMN recovery_session.staged_by IS 'Who called stageRecovery.';
COMMENT ON COLUMN recovery_session.staged_at IS 'When, on the clock of Postgres.';

CREATE SCHEMA recovery_staging;
COMMENT ON SCHEMA recovery_staging IS
  'Tables of a staged backup, under the names and with the rules of the live ones; empty while none is staged.';

-- The copies are made when they are needed, so that they are always like the tables of their day. Foreign
-- keys come last: they are checked once, when all rows are there.
CREATE FUNCTION shim_open_staging(tables regclass[]) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
  live regclass;
BEGIN
  FOREACH live IN ARRAY tables LOOP
    EXECUTE format(
      'CREATE TABLE recovery_staging.%I (LIKE %s INCLUDING DEFAULTS INCLUDING CONSTRAINTS INCLUDING INDEXES INCLUDING COMMENTS)',
      (SELECT relname FROM pg_class WHERE oid = live), live);
  END LOOP;
END $$;
COMMENT ON FUNCTION shim_open_staging(regclass[]) IS
  'Makes empty copies of these tables in recovery_staging, with all their rules but the foreign keys.';

CREATE FUNCTION shim_link_staging(tables regclass[]) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
  live regclass;
  copy text;
  link record;
BEGIN
  FOREACH live IN ARRAY tables LOOP
    SELECT format('recovery_staging.%I', relname) INTO copy FROM pg_class WHERE oid = live;
    FOR link IN
      SELECT k.conname, k.confrelid::regclass::text AS target, c.relname,
             pg_get_constraintdef(k.oid) AS definition
        FROM pg_constraint k JOIN pg_class c ON c.oid = k.confrelid
       WHERE k.conrelid = live AND k.contype = 'f' ORDER BY k.conname
    LOOP
      EXECUTE format('ALTER TABLE %s ADD CONSTRAINT %I %s', copy, link.conname,
        replace(link.definition, format('REFERENCES %s(', link.target),
                format('REFERENCES recovery_staging.%I(', link.relname)));
    END LOOP;
    EXECUTE format('ANALYZE %s', copy);
    IF EXISTS (SELECT 1 FROM pg_roles WHERE rolname = 'aurora_shim_auditor') THEN
      EXECUTE format('GRANT SELECT ON %s TO aurora_shim_auditor', copy);
    END IF;
  END LOOP;
END $$;
COMMENT ON FUNCTION shim_link_staging(regclass[]) IS
  'Checks what is staged against the foreign keys of these tables, and keeps it so.';

CREATE FUNCTION shim_close_staging() RETURNS void LANGUAGE plpgsql AS $$
DECLARE
  staged regclass;
BEGIN
  FOR staged IN
    SELECT oid FROM pg_class WHERE relnamespace = 'recovery_staging'::regnamespace AND relkind = 'r'
  LOOP
    EXECUTE format('DROP TABLE %s CASCADE', staged);
  END LOOP;
  DELETE FROM recovery_session;
END $$;
COMMENT ON FUNCTION shim_close_staging() IS 'Drops what is staged; does nothing when nothing is.';

-- Rows of a table in `merged` are known by their content: new ones are added, the others overwritten and
-- none deleted, since nothing refers to those that are left over.
CREATE FUNCTION shim_replace_state(tables regclass[], merged regclass[]) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
  next_epoch bigint;
  live regclass;
  copy text;
  columns text;
  keys text;
  assignments text;
  counter record;
BEGIN
  -- Waits for every other writer and keeps new ones out; theirs is an old epoch when they get their turn.
  next_epoch := shim_take_over();
  PERFORM set_config('aurora_shim.pruning', 'on', true);
  DELETE FROM backend_commands;
  FOR i IN REVERSE array_length(tables, 1) .. 1 LOOP
    IF NOT tables[i] = ANY (merged) THEN
      EXECUTE format('DELETE FROM %s', tables[i]);
    END IF;
  END LOOP;
  FOREACH live IN ARRAY tables LOOP
    SELECT format('recovery_staging.%I', relname) INTO copy FROM pg_class WHERE oid = live;
    SELECT string_agg(quote_ident(attname), ', ' ORDER BY attnum),
           string_agg(format('%1$I = EXCLUDED.%1$I', attname), ', ' ORDER BY attnum)
      INTO columns, assignments
      FROM pg_attribute WHERE attrelid = live AND attnum > 0 AND NOT attisdropped;
    SELECT string_agg(quote_ident(a.attname), ', ') INTO keys
      FROM pg_index x JOIN pg_attribute a ON a.attrelid = x.indrelid AND a.attnum = ANY (x.indkey)
     WHERE x.indrelid = live AND x.indisprimary;
    EXECUTE format('INSERT INTO %s (%s) OVERRIDING SYSTEM VALUE SELECT %s FROM %s',
                   live, columns, columns, copy)
      || CASE WHEN live = ANY (merged)
              THEN format(' ON CONFLICT (%s) DO UPDATE SET %s', keys, assignments) ELSE '' END;
    -- Numbers that were given out stay so, also where this database is younger than the backup.
    FOR counter IN
      SELECT a.attname, s.oid::regclass AS sequence
        FROM pg_attribute a
        LEFT JOIN pg_attrdef f ON f.adrelid = a.attrelid AND f.adnum = a.attnum
        JOIN pg_depend d ON d.refclassid = 'pg_class'::regclass AND
             (d.classid = 'pg_attrdef'::regclass AND d.objid = f.oid
              OR d.classid = 'pg_class'::regclass AND d.refobjid = live AND d.refobjsubid = a.attnum)
        JOIN pg_class s ON s.relkind = 'S' AND s.oid IN (d.refobjid, d.objid)
       WHERE a.attrelid = live AND a.attnum > 0 AND NOT a.attisdropped
    LOOP
      EXECUTE format('SELECT setval(%L, greatest(s.last_value, (SELECT max(%I) FROM %s))) FROM %s s',
                     counter.sequence, counter.attname, live, counter.sequence);
    END LOOP;
  END LOOP;
  PERFORM set_config('aurora_shim.pruning', 'off', true);
  PERFORM shim_close_staging();
  RETURN next_epoch;
END $$;
COMMENT ON FUNCTION shim_replace_state(regclass[], regclass[]) IS
  'Puts what is staged in the place of the live rows, forgets outstanding commands, raises the epoch and returns it.';

REVOKE EXECUTE ON FUNCTION shim_open_staging(regclass[]), shim_link_staging(regclass[]),
  shim_close_staging(), shim_replace_state(regclass[], regclass[]) FROM PUBLIC;
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
    EXECUTE 'GRANT SELECT, INSERT, UPDATE, DELETE ON recovery_session TO ' || writer;
    EXECUTE 'GRANT USAGE, CREATE ON SCHEMA recovery_staging TO ' || writer;
    EXECUTE 'GRANT SELECT, UPDATE ON SEQUENCE task_events_id_seq, update_history_seq TO ' || writer;
    EXECUTE 'GRANT EXECUTE ON FUNCTION shim_open_staging(regclass[]), shim_link_staging(regclass[]), '
      'shim_close_staging(), shim_replace_state(regclass[], regclass[]) TO ' || writer;
  END LOOP;
  IF EXISTS (SELECT 1 FROM pg_roles WHERE rolname = 'aurora_shim_auditor') THEN
    GRANT SELECT ON recovery_session TO aurora_shim_auditor;
    GRANT USAGE ON SCHEMA recovery_staging TO aurora_shim_auditor;
  END IF;
END $$;
