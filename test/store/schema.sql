-- Written by npm run db:dump from migrations/; not to be edited.
SET statement_timeout = 0;
SET lock_timeout = 0;
SET idle_in_transaction_session_timeout = 0;
SET client_encoding = 'UTF8';
SET standard_conforming_strings = on;
SELECT pg_catalog.set_config('search_path', '', false);
SET check_function_bodies = false;
SET xmloption = content;
SET client_min_messages = warning;
SET row_security = off;

--
-- Name: recovery_staging; Type: SCHEMA; Schema: -; Owner: -
--

CREATE SCHEMA recovery_staging;

--
-- Name: SCHEMA recovery_staging; Type: COMMENT; Schema: -; Owner: -
--

COMMENT ON SCHEMA recovery_staging IS 'Tables of a staged backup, under the names and with the rules of the live ones; empty while none is staged.';

--
-- Name: shim_append_only(); Type: FUNCTION; Schema: public; Owner: -
--

CREATE FUNCTION public.shim_append_only() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
  IF current_setting('aurora_shim.pruning', true) = 'on' THEN
    RETURN NULL;
  END IF;
  RAISE EXCEPTION '% is append-only; % is not allowed', TG_TABLE_NAME, TG_OP
    USING ERRCODE = 'SHF02', HINT = 'Use shim_prune_tasks() or shim_prune_updates().';
END $$;

--
-- Name: FUNCTION shim_append_only(); Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON FUNCTION public.shim_append_only() IS 'Keeps the event tables append-only, except inside the pruning functions.';

--
-- Name: shim_begin_write(bigint, uuid, integer); Type: FUNCTION; Schema: public; Owner: -
--

CREATE FUNCTION public.shim_begin_write(my_epoch bigint, receipt uuid, idle_timeout_ms integer) RETURNS void
    LANGUAGE plpgsql
    AS $$
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

--
-- Name: FUNCTION shim_begin_write(my_epoch bigint, receipt uuid, idle_timeout_ms integer); Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON FUNCTION public.shim_begin_write(my_epoch bigint, receipt uuid, idle_timeout_ms integer) IS 'First statement of every write transaction: refuses an old epoch, leaves a receipt, bounds how long the transaction may idle.';

--
-- Name: shim_clock(); Type: FUNCTION; Schema: public; Owner: -
--

CREATE FUNCTION public.shim_clock() RETURNS timestamp with time zone
    LANGUAGE sql
    AS $$SELECT clock_timestamp()$$;

--
-- Name: FUNCTION shim_clock(); Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON FUNCTION public.shim_clock() IS 'The one clock of column defaults and of ages measured in SQL; tests replace it.';

--
-- Name: shim_close_staging(); Type: FUNCTION; Schema: public; Owner: -
--

CREATE FUNCTION public.shim_close_staging() RETURNS void
    LANGUAGE plpgsql
    AS $$
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

--
-- Name: FUNCTION shim_close_staging(); Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON FUNCTION public.shim_close_staging() IS 'Drops what is staged; does nothing when nothing is.';

--
-- Name: shim_link_staging(regclass[]); Type: FUNCTION; Schema: public; Owner: -
--

CREATE FUNCTION public.shim_link_staging(tables regclass[]) RETURNS void
    LANGUAGE plpgsql
    AS $$
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

--
-- Name: FUNCTION shim_link_staging(tables regclass[]); Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON FUNCTION public.shim_link_staging(tables regclass[]) IS 'Checks what is staged against the foreign keys of these tables, and keeps it so.';

--
-- Name: shim_open_staging(regclass[]); Type: FUNCTION; Schema: public; Owner: -
--

CREATE FUNCTION public.shim_open_staging(tables regclass[]) RETURNS void
    LANGUAGE plpgsql
    AS $$
DECLARE
  live regclass;
BEGIN
  FOREACH live IN ARRAY tables LOOP
    EXECUTE format(
      'CREATE TABLE recovery_staging.%I (LIKE %s INCLUDING DEFAULTS INCLUDING CONSTRAINTS INCLUDING INDEXES INCLUDING COMMENTS)',
      (SELECT relname FROM pg_class WHERE oid = live), live);
  END LOOP;
END $$;

--
-- Name: FUNCTION shim_open_staging(tables regclass[]); Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON FUNCTION public.shim_open_staging(tables regclass[]) IS 'Makes empty copies of these tables in recovery_staging, with all their rules but the foreign keys.';

--
-- Name: shim_prune_tasks(text[]); Type: FUNCTION; Schema: public; Owner: -
--

CREATE FUNCTION public.shim_prune_tasks(task_ids text[]) RETURNS integer
    LANGUAGE plpgsql
    AS $$
DECLARE
  pruned integer;
BEGIN
  PERFORM set_config('aurora_shim.pruning', 'on', true);
  DELETE FROM tasks WHERE task_id = ANY (task_ids);
  GET DIAGNOSTICS pruned = ROW_COUNT;
  PERFORM set_config('aurora_shim.pruning', 'off', true);
  RETURN pruned;
END $$;

--
-- Name: FUNCTION shim_prune_tasks(task_ids text[]); Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON FUNCTION public.shim_prune_tasks(task_ids text[]) IS 'Deletes tasks with their events; the only way to.';

--
-- Name: shim_prune_updates(text[]); Type: FUNCTION; Schema: public; Owner: -
--

CREATE FUNCTION public.shim_prune_updates(update_ids text[]) RETURNS integer
    LANGUAGE plpgsql
    AS $$
DECLARE
  pruned integer;
BEGIN
  PERFORM set_config('aurora_shim.pruning', 'on', true);
  DELETE FROM job_updates WHERE update_id = ANY (update_ids);
  GET DIAGNOSTICS pruned = ROW_COUNT;
  PERFORM set_config('aurora_shim.pruning', 'off', true);
  RETURN pruned;
END $$;

--
-- Name: FUNCTION shim_prune_updates(update_ids text[]); Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON FUNCTION public.shim_prune_updates(update_ids text[]) IS 'Deletes updates with their events; the only way to.';

--
-- Name: shim_replace_state(regclass[], regclass[]); Type: FUNCTION; Schema: public; Owner: -
--

CREATE FUNCTION public.shim_replace_state(tables regclass[], merged regclass[]) RETURNS bigint
    LANGUAGE plpgsql
    AS $_$
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
END $_$;

--
-- Name: FUNCTION shim_replace_state(tables regclass[], merged regclass[]); Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON FUNCTION public.shim_replace_state(tables regclass[], merged regclass[]) IS 'Puts what is staged in the place of the live rows, forgets outstanding commands, raises the epoch and returns it.';

--
-- Name: shim_take_lease(bigint, bigint, uuid, integer, integer); Type: FUNCTION; Schema: public; Owner: -
--

CREATE FUNCTION public.shim_take_lease(seen_epoch bigint, seen_beat bigint, new_holder uuid, new_ttl_ms integer, new_schema_version integer) RETURNS bigint
    LANGUAGE plpgsql
    AS $$
DECLARE
  next_epoch bigint;
BEGIN
  UPDATE scheduler_lease
     SET holder = new_holder, beat = 0, host = NULL, port = NULL, endpoint_name = NULL,
         advertised = false, ttl_ms = new_ttl_ms, released = false,
         schema_version = new_schema_version
   WHERE id = 1 AND epoch = seen_epoch AND beat = seen_beat;
  IF NOT FOUND THEN
    RETURN NULL;
  END IF;
  next_epoch := shim_take_over();
  UPDATE scheduler_lease SET epoch = next_epoch WHERE id = 1;
  RETURN next_epoch;
END $$;

--
-- Name: FUNCTION shim_take_lease(seen_epoch bigint, seen_beat bigint, new_holder uuid, new_ttl_ms integer, new_schema_version integer); Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON FUNCTION public.shim_take_lease(seen_epoch bigint, seen_beat bigint, new_holder uuid, new_ttl_ms integer, new_schema_version integer) IS 'Takes the lease over and raises the epoch, which is returned; NULL when the row is not any more as it was seen.';

--
-- Name: shim_take_over(); Type: FUNCTION; Schema: public; Owner: -
--

CREATE FUNCTION public.shim_take_over() RETURNS bigint
    LANGUAGE plpgsql
    AS $$
DECLARE
  next_epoch bigint;
BEGIN
  PERFORM pg_advisory_xact_lock(hashtext('aurora-shim fence'));
  UPDATE scheduler_fence SET epoch = epoch + 1 WHERE id = 1 RETURNING epoch INTO next_epoch;
  RETURN next_epoch;
END $$;

--
-- Name: FUNCTION shim_take_over(); Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON FUNCTION public.shim_take_over() IS 'Raises the epoch after all writers of the old one have ended, and returns it.';

--
-- Name: shim_task_ended(); Type: FUNCTION; Schema: public; Owner: -
--

CREATE FUNCTION public.shim_task_ended() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
  NEW.ended_at := shim_clock();
  RETURN NEW;
END $$;

--
-- Name: FUNCTION shim_task_ended(); Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON FUNCTION public.shim_task_ended() IS 'Notes when a task ended, where nobody has said it.';

SET default_tablespace = '';

SET default_table_access_method = heap;

--
-- Name: job_updates; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.job_updates (
    update_id text NOT NULL,
    role text NOT NULL,
    environment text NOT NULL,
    job_name text NOT NULL,
    user_name text NOT NULL,
    state text NOT NULL,
    revision bigint DEFAULT 1 NOT NULL,
    pulse_timeout_ms integer DEFAULT 0 NOT NULL,
    settings jsonb NOT NULL,
    desired_config_hash text,
    desired_instances jsonb,
    metadata jsonb DEFAULT '[]'::jsonb NOT NULL,
    autopause_released integer[] DEFAULT '{}'::integer[] NOT NULL,
    created_at timestamp with time zone NOT NULL,
    last_modified_at timestamp with time zone NOT NULL,
    last_event_status text NOT NULL,
    last_event_at timestamp with time zone NOT NULL,
    CONSTRAINT job_updates_check CHECK (((desired_config_hash IS NULL) = (desired_instances IS NULL))),
    CONSTRAINT job_updates_pulse_timeout_ms_check CHECK ((pulse_timeout_ms >= 0)),
    CONSTRAINT job_updates_state_check CHECK ((state = ANY (ARRAY['ROLLING_FORWARD'::text, 'ROLLING_BACK'::text, 'ROLL_FORWARD_PAUSED'::text, 'ROLL_BACK_PAUSED'::text, 'ROLLED_FORWARD'::text, 'ROLLED_BACK'::text, 'ABORTED'::text, 'ERROR'::text, 'FAILED'::text])))
);

--
-- Name: TABLE job_updates; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON TABLE public.job_updates IS 'Job updates and their explicit state: what somebody asked for, and nothing else.';

--
-- Name: COLUMN job_updates.update_id; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.job_updates.update_id IS 'UUID drawn when the update was started; with the job key it names the update.';

--
-- Name: COLUMN job_updates.role; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.job_updates.role IS 'Role of the job key.';

--
-- Name: COLUMN job_updates.environment; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.job_updates.environment IS 'Environment of the job key.';

--
-- Name: COLUMN job_updates.job_name; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.job_updates.job_name IS 'Name of the job key.';

--
-- Name: COLUMN job_updates.user_name; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.job_updates.user_name IS 'Who started the update.';

--
-- Name: COLUMN job_updates.state; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.job_updates.state IS 'Explicit state. The two AWAITING_PULSE statuses are never stored here: they are what readers see while no heartbeat is fresh.';

--
-- Name: COLUMN job_updates.revision; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.job_updates.revision IS 'Raised by every write to this update.';

--
-- Name: COLUMN job_updates.pulse_timeout_ms; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.job_updates.pulse_timeout_ms IS 'blockIfNoPulsesAfterMs: without a pulse for this long nothing is done. 0: the update needs no pulses.';

--
-- Name: COLUMN job_updates.settings; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.job_updates.settings IS 'How to go about it, as one object: strategy (kind, sizes of batches), failures allowed, minWaitInRunningMs, rollbackOnFailure, onlyTheseInstances, slaAware, pulseTimeoutMs.';

--
-- Name: COLUMN job_updates.desired_config_hash; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.job_updates.desired_config_hash IS 'Configuration the instances shall have: a row of task_configs. Empty where the update only removes instances.';

--
-- Name: COLUMN job_updates.desired_instances; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.job_updates.desired_instances IS 'Closed ranges of instance ids, [[first, last], ...].';

--
-- Name: COLUMN job_updates.metadata; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.job_updates.metadata IS 'What the starter attached, as sent: [{"key": "...", "value": "..."}, ...].';

--
-- Name: COLUMN job_updates.autopause_released; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.job_updates.autopause_released IS 'Instances let through an autopause barrier already.';

--
-- Name: COLUMN job_updates.created_at; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.job_updates.created_at IS 'Time of the first update event.';

--
-- Name: COLUMN job_updates.last_modified_at; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.job_updates.last_modified_at IS 'Time of the newest update or instance event.';

--
-- Name: COLUMN job_updates.last_event_status; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.job_updates.last_event_status IS 'Status of the newest row of job_update_events.';

--
-- Name: COLUMN job_updates.last_event_at; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.job_updates.last_event_at IS 'happened_at of the newest row of job_update_events.';

--
-- Name: active_updates; Type: VIEW; Schema: public; Owner: -
--

CREATE VIEW public.active_updates AS
 SELECT u.role,
    u.environment,
    u.job_name,
    u.update_id,
    u.state,
    u.last_event_status,
    (u.pulse_timeout_ms > 0) AS coordinated,
    u.pulse_timeout_ms,
    u.user_name AS started_by,
    u.created_at AS started_at,
    u.last_modified_at,
    u.metadata
   FROM public.job_updates u
  WHERE (u.state = ANY (ARRAY['ROLLING_FORWARD'::text, 'ROLLING_BACK'::text, 'ROLL_FORWARD_PAUSED'::text, 'ROLL_BACK_PAUSED'::text]));

--
-- Name: VIEW active_updates; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON VIEW public.active_updates IS 'Updates that have not ended. last_event_status tells a block for want of a heartbeat once an action was refused; heartbeats themselves are in no table.';

--
-- Name: COLUMN active_updates.role; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.active_updates.role IS 'Role of the job key.';

--
-- Name: COLUMN active_updates.environment; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.active_updates.environment IS 'Environment of the job key.';

--
-- Name: COLUMN active_updates.job_name; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.active_updates.job_name IS 'Name of the job key.';

--
-- Name: COLUMN active_updates.update_id; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.active_updates.update_id IS 'The update; with the job key it names it to the API.';

--
-- Name: COLUMN active_updates.state; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.active_updates.state IS 'What was asked for: rolling or paused, forward or back. Says nothing of heartbeats.';

--
-- Name: COLUMN active_updates.last_event_status; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.active_updates.last_event_status IS 'Status of the newest event; an AWAITING_PULSE one means that an action was refused for want of a heartbeat.';

--
-- Name: COLUMN active_updates.coordinated; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.active_updates.coordinated IS 'It acts only while a monitor sends heartbeats.';

--
-- Name: COLUMN active_updates.pulse_timeout_ms; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.active_updates.pulse_timeout_ms IS 'Age in ms from which on the newest heartbeat counts for nothing; 0 where none is needed.';

--
-- Name: COLUMN active_updates.started_by; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.active_updates.started_by IS 'User that started it.';

--
-- Name: COLUMN active_updates.started_at; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.active_updates.started_at IS 'Time of its first event, on the wall clock of the scheduler.';

--
-- Name: COLUMN active_updates.last_modified_at; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.active_updates.last_modified_at IS 'Time of its newest update or instance event, on the wall clock of the scheduler.';

--
-- Name: COLUMN active_updates.metadata; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.active_updates.metadata IS 'What the starter attached, as sent: [{"key": "...", "value": "..."}, ...].';

--
-- Name: backend_commands; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.backend_commands (
    id bigint NOT NULL,
    task_id text NOT NULL,
    kind text NOT NULL,
    created_at timestamp with time zone DEFAULT public.shim_clock() NOT NULL,
    CONSTRAINT backend_commands_kind_check CHECK ((kind = ANY (ARRAY['submit'::text, 'kill'::text])))
);

--
-- Name: TABLE backend_commands; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON TABLE public.backend_commands IS 'What the cluster backend must still be told; written with the state change, deleted when the backend has taken it.';

--
-- Name: COLUMN backend_commands.id; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.backend_commands.id IS 'Order in which the commands of a task are given; has gaps.';

--
-- Name: COLUMN backend_commands.task_id; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.backend_commands.task_id IS 'The task to submit or to kill.';

--
-- Name: COLUMN backend_commands.kind; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.backend_commands.kind IS 'submit: start it where it was placed. kill: end it.';

--
-- Name: COLUMN backend_commands.created_at; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.backend_commands.created_at IS 'When it was decided, on the clock of Postgres. Old rows: the backend does not take them.';

--
-- Name: backend_commands_id_seq; Type: SEQUENCE; Schema: public; Owner: -
--

ALTER TABLE public.backend_commands ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.backend_commands_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

--
-- Name: SEQUENCE backend_commands_id_seq; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON SEQUENCE public.backend_commands_id_seq IS 'Numbers the commands.';

--
-- Name: cron_follow_ups; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.cron_follow_ups (
    role text NOT NULL,
    environment text NOT NULL,
    job_name text NOT NULL,
    config_hash text NOT NULL,
    instance_count integer NOT NULL,
    waits_for text[] NOT NULL,
    triggered_at timestamp with time zone NOT NULL,
    CONSTRAINT cron_follow_ups_instance_count_check CHECK ((instance_count > 0))
);

--
-- Name: TABLE cron_follow_ups; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON TABLE public.cron_follow_ups IS 'Runs that KILL_EXISTING holds back: they start once the tasks that were killed for them have ended. Written with the kills, deleted with the start.';

--
-- Name: COLUMN cron_follow_ups.role; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.cron_follow_ups.role IS 'Role of the job key.';

--
-- Name: COLUMN cron_follow_ups.environment; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.cron_follow_ups.environment IS 'Environment of the job key.';

--
-- Name: COLUMN cron_follow_ups.job_name; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.cron_follow_ups.job_name IS 'Name of the job key.';

--
-- Name: COLUMN cron_follow_ups.config_hash; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.cron_follow_ups.config_hash IS 'Configuration at the time of the trigger; replacing the template does not change it.';

--
-- Name: COLUMN cron_follow_ups.instance_count; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.cron_follow_ups.instance_count IS 'Tasks to start, likewise as triggered.';

--
-- Name: COLUMN cron_follow_ups.waits_for; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.cron_follow_ups.waits_for IS 'Ids of the tasks of the former run.';

--
-- Name: COLUMN cron_follow_ups.triggered_at; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.cron_follow_ups.triggered_at IS 'When the run was due or asked for, on the wall clock of the scheduler.';

--
-- Name: cron_jobs; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.cron_jobs (
    role text NOT NULL,
    environment text NOT NULL,
    job_name text NOT NULL,
    config_hash text NOT NULL,
    schedule text NOT NULL,
    collision_policy text,
    instance_count integer NOT NULL,
    owner_user text,
    created_by text NOT NULL,
    created_at timestamp with time zone NOT NULL,
    changed_by text NOT NULL,
    changed_at timestamp with time zone NOT NULL,
    CONSTRAINT cron_jobs_collision_policy_check CHECK ((collision_policy = ANY (ARRAY['KILL_EXISTING'::text, 'CANCEL_NEW'::text, 'RUN_OVERLAP'::text]))),
    CONSTRAINT cron_jobs_instance_count_check CHECK ((instance_count > 0))
);

--
-- Name: TABLE cron_jobs; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON TABLE public.cron_jobs IS 'Cron templates: one row for each job that is started on a schedule. The scheduler reads them when it starts; change them through the API.';

--
-- Name: COLUMN cron_jobs.role; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.cron_jobs.role IS 'Role of the job key.';

--
-- Name: COLUMN cron_jobs.environment; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.cron_jobs.environment IS 'Environment of the job key.';

--
-- Name: COLUMN cron_jobs.job_name; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.cron_jobs.job_name IS 'Name of the job key.';

--
-- Name: COLUMN cron_jobs.config_hash; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.cron_jobs.config_hash IS 'Configuration of every task the next run starts.';

--
-- Name: COLUMN cron_jobs.schedule; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.cron_jobs.schedule IS 'Five crontab fields as the client sent them, in the time zone of --cron_timezone.';

--
-- Name: COLUMN cron_jobs.collision_policy; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.cron_jobs.collision_policy IS 'What happens when tasks of the former run are still active. Empty, as the client left it: KILL_EXISTING. RUN_OVERLAP, in imported jobs only, does nothing.';

--
-- Name: COLUMN cron_jobs.instance_count; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.cron_jobs.instance_count IS 'Tasks a run starts, with the ids from 0 on.';

--
-- Name: COLUMN cron_jobs.owner_user; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.cron_jobs.owner_user IS 'JobConfiguration.owner, where one was given.';

--
-- Name: COLUMN cron_jobs.created_by; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.cron_jobs.created_by IS 'Who scheduled the job first, since it was last descheduled.';

--
-- Name: COLUMN cron_jobs.created_at; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.cron_jobs.created_at IS 'When that was, on the wall clock of the scheduler.';

--
-- Name: COLUMN cron_jobs.changed_by; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.cron_jobs.changed_by IS 'Who last replaced the template, or created it.';

--
-- Name: COLUMN cron_jobs.changed_at; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.cron_jobs.changed_at IS 'When that was, on the wall clock of the scheduler.';

--
-- Name: update_history_seq; Type: SEQUENCE; Schema: public; Owner: -
--

CREATE SEQUENCE public.update_history_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;

--
-- Name: SEQUENCE update_history_seq; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON SEQUENCE public.update_history_seq IS 'Numbers update and instance events alike, so that their order among each other is known.';

--
-- Name: job_update_events; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.job_update_events (
    id bigint DEFAULT nextval('public.update_history_seq'::regclass) NOT NULL,
    update_id text NOT NULL,
    status text NOT NULL,
    happened_at timestamp with time zone NOT NULL,
    user_name text,
    message text,
    recorded_at timestamp with time zone DEFAULT public.shim_clock() NOT NULL,
    CONSTRAINT job_update_events_status_check CHECK ((status = ANY (ARRAY['ROLLING_FORWARD'::text, 'ROLLING_BACK'::text, 'ROLL_FORWARD_PAUSED'::text, 'ROLL_BACK_PAUSED'::text, 'ROLLED_FORWARD'::text, 'ROLLED_BACK'::text, 'ABORTED'::text, 'ERROR'::text, 'FAILED'::text, 'ROLL_FORWARD_AWAITING_PULSE'::text, 'ROLL_BACK_AWAITING_PULSE'::text])))
);

--
-- Name: TABLE job_update_events; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON TABLE public.job_update_events IS 'Status changes of updates, in order of id. Append-only. user_name is set only where somebody asked for the change.';

--
-- Name: COLUMN job_update_events.id; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.job_update_events.id IS 'Order of the history, shared with job_instance_update_events; has gaps.';

--
-- Name: COLUMN job_update_events.update_id; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.job_update_events.update_id IS 'The update whose status changed.';

--
-- Name: COLUMN job_update_events.status; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.job_update_events.status IS 'The JobUpdateStatus from here on. The AWAITING_PULSE ones are here from the first action that was refused.';

--
-- Name: COLUMN job_update_events.happened_at; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.job_update_events.happened_at IS 'Wall time of the scheduler; never before an older event of the update.';

--
-- Name: COLUMN job_update_events.user_name; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.job_update_events.user_name IS 'Who asked for the change; empty where the scheduler made it by itself.';

--
-- Name: COLUMN job_update_events.message; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.job_update_events.message IS 'What that person said, or the reason the scheduler had.';

--
-- Name: COLUMN job_update_events.recorded_at; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.job_update_events.recorded_at IS 'The same moment on the clock of Postgres; ages are measured by it.';

--
-- Name: explicit_pauses; Type: VIEW; Schema: public; Owner: -
--

CREATE VIEW public.explicit_pauses AS
 SELECT u.role,
    u.environment,
    u.job_name,
    e.update_id,
    e.status,
    e.happened_at AS paused_at,
    e.user_name AS paused_by,
    e.message,
    n.happened_at AS ended_at,
    n.status AS ended_by_status,
    n.user_name AS ended_by,
    (COALESCE(n.happened_at, public.shim_clock()) - e.happened_at) AS lasted
   FROM ((public.job_update_events e
     JOIN public.job_updates u USING (update_id))
     LEFT JOIN LATERAL ( SELECT x.happened_at,
            x.status,
            x.user_name
           FROM public.job_update_events x
          WHERE ((x.update_id = e.update_id) AND (x.id > e.id))
          ORDER BY x.id
         LIMIT 1) n ON (true))
  WHERE (e.status = ANY (ARRAY['ROLL_FORWARD_PAUSED'::text, 'ROLL_BACK_PAUSED'::text]));

--
-- Name: VIEW explicit_pauses; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON VIEW public.explicit_pauses IS 'Who paused which update, with which message, and what ended the pause. paused_by is empty for automatic pauses between batches.';

--
-- Name: COLUMN explicit_pauses.role; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.explicit_pauses.role IS 'Role of the job key.';

--
-- Name: COLUMN explicit_pauses.environment; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.explicit_pauses.environment IS 'Environment of the job key.';

--
-- Name: COLUMN explicit_pauses.job_name; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.explicit_pauses.job_name IS 'Name of the job key.';

--
-- Name: COLUMN explicit_pauses.update_id; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.explicit_pauses.update_id IS 'The update that was paused.';

--
-- Name: COLUMN explicit_pauses.status; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.explicit_pauses.status IS 'ROLL_FORWARD_PAUSED, or ROLL_BACK_PAUSED where it was on its way back.';

--
-- Name: COLUMN explicit_pauses.paused_at; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.explicit_pauses.paused_at IS 'When it was paused, on the wall clock of the scheduler.';

--
-- Name: COLUMN explicit_pauses.paused_by; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.explicit_pauses.paused_by IS 'Who paused it; empty where it paused itself between two batches.';

--
-- Name: COLUMN explicit_pauses.message; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.explicit_pauses.message IS 'The reason that was given.';

--
-- Name: COLUMN explicit_pauses.ended_at; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.explicit_pauses.ended_at IS 'Time of the event that ended the pause; empty while it lasts.';

--
-- Name: COLUMN explicit_pauses.ended_by_status; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.explicit_pauses.ended_by_status IS 'Status the update went to: an active one (resumed, rolled back) or ABORTED. Empty while it lasts.';

--
-- Name: COLUMN explicit_pauses.ended_by; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.explicit_pauses.ended_by IS 'Who ended it.';

--
-- Name: COLUMN explicit_pauses.lasted; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.explicit_pauses.lasted IS 'From paused_at to ended_at, or to now while it lasts.';

--
-- Name: heartbeat_blocks; Type: VIEW; Schema: public; Owner: -
--

CREATE VIEW public.heartbeat_blocks AS
 SELECT u.role,
    u.environment,
    u.job_name,
    e.update_id,
    e.status,
    e.happened_at AS blocked_at,
    n.happened_at AS unblocked_at,
    n.status AS ended_by_status,
    n.user_name AS ended_by,
    (COALESCE(n.happened_at, public.shim_clock()) - e.happened_at) AS lasted
   FROM ((public.job_update_events e
     JOIN public.job_updates u USING (update_id))
     LEFT JOIN LATERAL ( SELECT x.happened_at,
            x.status,
            x.user_name
           FROM public.job_update_events x
          WHERE ((x.update_id = e.update_id) AND (x.id > e.id))
          ORDER BY x.id
         LIMIT 1) n ON (true))
  WHERE (e.status = ANY (ARRAY['ROLL_FORWARD_AWAITING_PULSE'::text, 'ROLL_BACK_AWAITING_PULSE'::text]));

--
-- Name: VIEW heartbeat_blocks; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON VIEW public.heartbeat_blocks IS 'When an update was blocked for want of a heartbeat and for how long: from the first refused action to the event that ended it.';

--
-- Name: COLUMN heartbeat_blocks.role; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.heartbeat_blocks.role IS 'Role of the job key.';

--
-- Name: COLUMN heartbeat_blocks.environment; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.heartbeat_blocks.environment IS 'Environment of the job key.';

--
-- Name: COLUMN heartbeat_blocks.job_name; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.heartbeat_blocks.job_name IS 'Name of the job key.';

--
-- Name: COLUMN heartbeat_blocks.update_id; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.heartbeat_blocks.update_id IS 'The update that stood still.';

--
-- Name: COLUMN heartbeat_blocks.status; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.heartbeat_blocks.status IS 'ROLL_FORWARD_AWAITING_PULSE, or ROLL_BACK_AWAITING_PULSE where it was on its way back.';

--
-- Name: COLUMN heartbeat_blocks.blocked_at; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.heartbeat_blocks.blocked_at IS 'When the first action was refused, or the update began without a pulse; later than the moment the last pulse grew too old.';

--
-- Name: COLUMN heartbeat_blocks.unblocked_at; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.heartbeat_blocks.unblocked_at IS 'Time of the event that ended the block; empty while it lasts.';

--
-- Name: COLUMN heartbeat_blocks.ended_by_status; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.heartbeat_blocks.ended_by_status IS 'ROLLING_FORWARD or ROLLING_BACK after a heartbeat, otherwise what somebody asked for. Empty while it lasts.';

--
-- Name: COLUMN heartbeat_blocks.ended_by; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.heartbeat_blocks.ended_by IS 'Who ended it by a pause, abort or rollback; empty after a heartbeat.';

--
-- Name: COLUMN heartbeat_blocks.lasted; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.heartbeat_blocks.lasted IS 'From blocked_at to unblocked_at, or to now while it lasts.';

--
-- Name: host_maintenance_requests; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.host_maintenance_requests (
    host text NOT NULL,
    default_sla_policy jsonb,
    timeout_secs bigint NOT NULL,
    created_at timestamp with time zone DEFAULT public.shim_clock() NOT NULL,
    created_by text NOT NULL
);

--
-- Name: TABLE host_maintenance_requests; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON TABLE public.host_maintenance_requests IS 'How hosts are to be drained, one row each; a later request replaces an earlier one. Goes when the last task of the host has ended, or with endMaintenance. Also for hosts the backend never reported.';

--
-- Name: COLUMN host_maintenance_requests.host; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.host_maintenance_requests.host IS 'Host name; not every one has a row in hosts.';

--
-- Name: COLUMN host_maintenance_requests.default_sla_policy; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.host_maintenance_requests.default_sla_policy IS 'SlaPolicy for tasks that have none of their own; empty: those are drained at once.';

--
-- Name: COLUMN host_maintenance_requests.timeout_secs; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.host_maintenance_requests.timeout_secs IS 'So long after created_at tasks are drained whatever their SLA says; 0 (drainHosts) or less: from the start.';

--
-- Name: COLUMN host_maintenance_requests.created_at; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.host_maintenance_requests.created_at IS 'When it was asked for, on the clock of Postgres.';

--
-- Name: COLUMN host_maintenance_requests.created_by; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.host_maintenance_requests.created_by IS 'Who asked.';

--
-- Name: hosts; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.hosts (
    host text NOT NULL,
    agent_id text NOT NULL,
    attributes jsonb NOT NULL,
    mode text DEFAULT 'NONE'::text NOT NULL,
    mode_changed_at timestamp with time zone,
    mode_changed_by text,
    first_seen_at timestamp with time zone DEFAULT public.shim_clock() NOT NULL,
    last_seen_at timestamp with time zone DEFAULT public.shim_clock() NOT NULL,
    CONSTRAINT hosts_mode_check CHECK ((mode = ANY (ARRAY['NONE'::text, 'SCHEDULED'::text, 'DRAINING'::text, 'DRAINED'::text])))
);

--
-- Name: TABLE hosts; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON TABLE public.hosts IS 'Every machine the backend ever reported. The scheduler reads the modes when it starts; change them through the API.';

--
-- Name: COLUMN hosts.host; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.hosts.host IS 'Host name, as in tasks.slave_host.';

--
-- Name: COLUMN hosts.agent_id; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.hosts.agent_id IS 'Id of the agent on it, as in tasks.slave_id.';

--
-- Name: COLUMN hosts.attributes; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.hosts.attributes IS 'What constraints are matched with, by name: {"host": ["a"], "rack": ["r1"]}.';

--
-- Name: COLUMN hosts.mode; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.hosts.mode IS 'NONE: takes tasks. SCHEDULED: takes them only where no other host does. DRAINING: takes none, and its tasks are moved away. DRAINED: none are left.';

--
-- Name: COLUMN hosts.mode_changed_at; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.hosts.mode_changed_at IS 'When it came into this mode, on the clock of Postgres; empty where nobody ever changed it.';

--
-- Name: COLUMN hosts.mode_changed_by; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.hosts.mode_changed_by IS 'Who changed it; empty where the scheduler did, because the last task was gone.';

--
-- Name: COLUMN hosts.first_seen_at; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.hosts.first_seen_at IS 'When the backend first reported it, on the clock of Postgres.';

--
-- Name: COLUMN hosts.last_seen_at; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.hosts.last_seen_at IS 'When the backend last announced it: at a start of either, or at a change. Not a sign of life.';

--
-- Name: tasks; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.tasks (
    task_id text NOT NULL,
    role text NOT NULL,
    environment text NOT NULL,
    job_name text NOT NULL,
    instance_id integer NOT NULL,
    config_hash text NOT NULL,
    status text NOT NULL,
    slave_host text,
    slave_id text,
    assigned_ports jsonb DEFAULT '{}'::jsonb NOT NULL,
    failure_count integer DEFAULT 0 NOT NULL,
    times_partitioned integer DEFAULT 0 NOT NULL,
    ancestor_id text,
    created_at timestamp with time zone DEFAULT public.shim_clock() NOT NULL,
    removed_at timestamp with time zone,
    removed_reason text,
    ended_at timestamp with time zone,
    CONSTRAINT tasks_instance_id_check CHECK ((instance_id >= 0)),
    CONSTRAINT tasks_status_check CHECK ((status = ANY (ARRAY['INIT'::text, 'THROTTLED'::text, 'PENDING'::text, 'ASSIGNED'::text, 'STARTING'::text, 'RUNNING'::text, 'PREEMPTING'::text, 'RESTARTING'::text, 'DRAINING'::text, 'KILLING'::text, 'PARTITIONED'::text, 'FINISHED'::text, 'FAILED'::text, 'KILLED'::text, 'LOST'::text])))
);

--
-- Name: TABLE tasks; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON TABLE public.tasks IS 'One row for each generation of an instance. Rows with removed_at are tombstones of tasks killed before they had a host; the API does not show them.';

--
-- Name: COLUMN tasks.task_id; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.tasks.task_id IS 'Id that clients and the backend know this generation by; never used again.';

--
-- Name: COLUMN tasks.role; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.tasks.role IS 'Role of the job key.';

--
-- Name: COLUMN tasks.environment; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.tasks.environment IS 'Environment of the job key.';

--
-- Name: COLUMN tasks.job_name; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.tasks.job_name IS 'Name of the job key.';

--
-- Name: COLUMN tasks.instance_id; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.tasks.instance_id IS 'Number of the instance in its job, from 0 on.';

--
-- Name: COLUMN tasks.config_hash; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.tasks.config_hash IS 'What the task runs: a row of task_configs.';

--
-- Name: COLUMN tasks.status; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.tasks.status IS 'A ScheduleStatus of Aurora; that of the newest event of the task. A tombstone keeps its last one.';

--
-- Name: COLUMN tasks.slave_host; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.tasks.slave_host IS 'Host name of the machine it was placed on; empty until it is ASSIGNED.';

--
-- Name: COLUMN tasks.slave_id; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.tasks.slave_id IS 'Id of the agent on that machine; empty until it is ASSIGNED.';

--
-- Name: COLUMN tasks.assigned_ports; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.tasks.assigned_ports IS 'Ports given to the task there, by the names it asked for: {"http": 31337}.';

--
-- Name: COLUMN tasks.failure_count; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.tasks.failure_count IS 'Runs that ended FAILED in this chain of generations.';

--
-- Name: COLUMN tasks.times_partitioned; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.tasks.times_partitioned IS 'How often the task was PARTITIONED: its machine was not heard of.';

--
-- Name: COLUMN tasks.ancestor_id; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.tasks.ancestor_id IS 'Task id of the generation this one replaced; that row may be pruned.';

--
-- Name: COLUMN tasks.created_at; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.tasks.created_at IS 'When the row was made, on the clock of Postgres.';

--
-- Name: COLUMN tasks.removed_at; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.tasks.removed_at IS 'When a task without a host was killed, on the clock of Postgres. Such a task has no KILLED event; this is its end. Empty for all others.';

--
-- Name: COLUMN tasks.removed_reason; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.tasks.removed_reason IS 'Why that was, in the words a KILLING event would have had; empty where nobody gave any.';

--
-- Name: COLUMN tasks.ended_at; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.tasks.ended_at IS 'When the task became FINISHED, FAILED, KILLED or LOST, or its row a tombstone, on the clock of Postgres; empty while it is active. History is pruned by it.';

--
-- Name: host_maintenance; Type: VIEW; Schema: public; Owner: -
--

CREATE VIEW public.host_maintenance AS
 SELECT host,
    h.agent_id,
    COALESCE(h.mode, 'UNKNOWN'::text) AS mode,
    h.mode_changed_at,
    h.mode_changed_by,
    r.default_sla_policy,
    r.created_at AS requested_at,
    r.created_by AS requested_by,
        CASE
            WHEN (abs(r.timeout_secs) < ((100 * 366) * (86400)::bigint)) THEN (r.created_at + ((r.timeout_secs)::double precision * '00:00:01'::interval))
            ELSE NULL::timestamp with time zone
        END AS forced_at,
    COALESCE(t.active_tasks, (0)::bigint) AS active_tasks,
    COALESCE(t.ending_tasks, (0)::bigint) AS ending_tasks,
    h.last_seen_at
   FROM ((public.hosts h
     FULL JOIN public.host_maintenance_requests r USING (host))
     LEFT JOIN ( SELECT tasks.slave_host AS host,
            count(*) AS active_tasks,
            count(*) FILTER (WHERE (tasks.status = ANY (ARRAY['DRAINING'::text, 'KILLING'::text, 'RESTARTING'::text, 'PREEMPTING'::text]))) AS ending_tasks
           FROM public.tasks
          WHERE ((tasks.slave_host IS NOT NULL) AND (tasks.removed_at IS NULL) AND (tasks.status = ANY (ARRAY['PENDING'::text, 'STARTING'::text, 'RUNNING'::text, 'KILLING'::text, 'ASSIGNED'::text, 'RESTARTING'::text, 'PREEMPTING'::text, 'THROTTLED'::text, 'DRAINING'::text, 'PARTITIONED'::text])))
          GROUP BY tasks.slave_host) t USING (host));

--
-- Name: VIEW host_maintenance; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON VIEW public.host_maintenance IS 'Hosts, their modes and drains, and how many tasks each still has.';

--
-- Name: COLUMN host_maintenance.host; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.host_maintenance.host IS 'Host name, as in tasks.slave_host.';

--
-- Name: COLUMN host_maintenance.agent_id; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.host_maintenance.agent_id IS 'Id of the agent on it, as in tasks.slave_id.';

--
-- Name: COLUMN host_maintenance.mode; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.host_maintenance.mode IS 'As in hosts; UNKNOWN where there is a request for a host the backend never reported.';

--
-- Name: COLUMN host_maintenance.mode_changed_at; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.host_maintenance.mode_changed_at IS 'When it came into this mode.';

--
-- Name: COLUMN host_maintenance.mode_changed_by; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.host_maintenance.mode_changed_by IS 'Who changed it; empty where the scheduler did, because the last task was gone.';

--
-- Name: COLUMN host_maintenance.default_sla_policy; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.host_maintenance.default_sla_policy IS 'What the drain spares: SlaPolicy for tasks that have none of their own.';

--
-- Name: COLUMN host_maintenance.requested_at; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.host_maintenance.requested_at IS 'When the drain was asked for; empty where there is no request.';

--
-- Name: COLUMN host_maintenance.requested_by; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.host_maintenance.requested_by IS 'Who asked for it.';

--
-- Name: COLUMN host_maintenance.forced_at; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.host_maintenance.forced_at IS 'From when on no SLA holds the drain up; empty where that is a century away.';

--
-- Name: COLUMN host_maintenance.active_tasks; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.host_maintenance.active_tasks IS 'Tasks on the host that have not ended.';

--
-- Name: COLUMN host_maintenance.ending_tasks; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.host_maintenance.ending_tasks IS 'Those of them that were told to end.';

--
-- Name: COLUMN host_maintenance.last_seen_at; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.host_maintenance.last_seen_at IS 'When the backend last announced the host.';

--
-- Name: task_events; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.task_events (
    id bigint NOT NULL,
    task_id text NOT NULL,
    status text NOT NULL,
    happened_at timestamp with time zone NOT NULL,
    message text,
    scheduler text,
    recorded_at timestamp with time zone DEFAULT public.shim_clock() NOT NULL,
    CONSTRAINT task_events_status_check CHECK ((status = ANY (ARRAY['THROTTLED'::text, 'PENDING'::text, 'ASSIGNED'::text, 'STARTING'::text, 'RUNNING'::text, 'PREEMPTING'::text, 'RESTARTING'::text, 'DRAINING'::text, 'KILLING'::text, 'PARTITIONED'::text, 'FINISHED'::text, 'FAILED'::text, 'KILLED'::text, 'LOST'::text])))
);

--
-- Name: TABLE task_events; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON TABLE public.task_events IS 'What happened to each task, in order of id. Append-only.';

--
-- Name: COLUMN task_events.id; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.task_events.id IS 'Order of the events, of all tasks together; has gaps.';

--
-- Name: COLUMN task_events.task_id; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.task_events.task_id IS 'The task it happened to.';

--
-- Name: COLUMN task_events.status; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.task_events.status IS 'The ScheduleStatus the task had from here on.';

--
-- Name: COLUMN task_events.happened_at; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.task_events.happened_at IS 'Wall time of the scheduler when it processed the change; never before an older event of the task.';

--
-- Name: COLUMN task_events.message; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.task_events.message IS 'Who asked for it or what the backend said of it, as clients see it; may be empty.';

--
-- Name: COLUMN task_events.scheduler; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.task_events.scheduler IS 'Host name of the scheduler that recorded it.';

--
-- Name: COLUMN task_events.recorded_at; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.task_events.recorded_at IS 'The same moment on the clock of Postgres; ages are measured by it.';

--
-- Name: instance_history; Type: VIEW; Schema: public; Owner: -
--

CREATE VIEW public.instance_history AS
 SELECT t.role,
    t.environment,
    t.job_name,
    t.instance_id,
    t.task_id,
    e.happened_at,
    e.status,
    e.message,
    t.slave_host,
    t.config_hash,
    t.ancestor_id,
    t.removed_at,
    t.removed_reason,
    e.id AS seq
   FROM (public.tasks t
     JOIN public.task_events e USING (task_id));

--
-- Name: VIEW instance_history; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON VIEW public.instance_history IS 'All generations of all instances with their events; ORDER BY seq. Tombstones of tasks killed while PENDING included.';

--
-- Name: COLUMN instance_history.role; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.instance_history.role IS 'Role of the job key.';

--
-- Name: COLUMN instance_history.environment; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.instance_history.environment IS 'Environment of the job key.';

--
-- Name: COLUMN instance_history.job_name; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.instance_history.job_name IS 'Name of the job key.';

--
-- Name: COLUMN instance_history.instance_id; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.instance_history.instance_id IS 'Number of the instance in its job, from 0 on.';

--
-- Name: COLUMN instance_history.task_id; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.instance_history.task_id IS 'The generation it happened to.';

--
-- Name: COLUMN instance_history.happened_at; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.instance_history.happened_at IS 'Wall time of the scheduler; never before an older event of the task.';

--
-- Name: COLUMN instance_history.status; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.instance_history.status IS 'The ScheduleStatus the task had from here on.';

--
-- Name: COLUMN instance_history.message; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.instance_history.message IS 'Who asked for it, or what the backend said of it.';

--
-- Name: COLUMN instance_history.slave_host; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.instance_history.slave_host IS 'Machine of this generation, in all its rows; empty where it never had one.';

--
-- Name: COLUMN instance_history.config_hash; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.instance_history.config_hash IS 'What this generation ran: a row of task_configs.';

--
-- Name: COLUMN instance_history.ancestor_id; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.instance_history.ancestor_id IS 'Task id of the generation it was rescheduled from; empty where an update or a user added it. That row may be pruned.';

--
-- Name: COLUMN instance_history.removed_at; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.instance_history.removed_at IS 'When this generation was killed before it had a host, which leaves no event; empty for all others.';

--
-- Name: COLUMN instance_history.removed_reason; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.instance_history.removed_reason IS 'Why that was.';

--
-- Name: COLUMN instance_history.seq; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.instance_history.seq IS 'Order of the events, of all tasks together; has gaps.';

--
-- Name: job_instance_update_events; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.job_instance_update_events (
    id bigint DEFAULT nextval('public.update_history_seq'::regclass) NOT NULL,
    update_id text NOT NULL,
    instance_id integer NOT NULL,
    action text NOT NULL,
    happened_at timestamp with time zone NOT NULL,
    message text,
    recorded_at timestamp with time zone DEFAULT public.shim_clock() NOT NULL,
    CONSTRAINT job_instance_update_events_action_check CHECK ((action = ANY (ARRAY['INSTANCE_UPDATED'::text, 'INSTANCE_ROLLED_BACK'::text, 'INSTANCE_UPDATING'::text, 'INSTANCE_ROLLING_BACK'::text, 'INSTANCE_UPDATE_FAILED'::text, 'INSTANCE_ROLLBACK_FAILED'::text])))
);

--
-- Name: TABLE job_instance_update_events; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON TABLE public.job_instance_update_events IS 'What updates did to instances, in order of id. Append-only.';

--
-- Name: COLUMN job_instance_update_events.id; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.job_instance_update_events.id IS 'Order of the history, shared with job_update_events; has gaps.';

--
-- Name: COLUMN job_instance_update_events.update_id; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.job_instance_update_events.update_id IS 'The update that did it.';

--
-- Name: COLUMN job_instance_update_events.instance_id; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.job_instance_update_events.instance_id IS 'Number of the instance in its job, from 0 on.';

--
-- Name: COLUMN job_instance_update_events.action; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.job_instance_update_events.action IS 'The JobUpdateAction. A row with a message repeats the action in hand, to tell something of it.';

--
-- Name: COLUMN job_instance_update_events.happened_at; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.job_instance_update_events.happened_at IS 'Wall time of the scheduler; never before an older event of the update.';

--
-- Name: COLUMN job_instance_update_events.message; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.job_instance_update_events.message IS 'A note, such as the answer of an SLA check; mostly empty.';

--
-- Name: COLUMN job_instance_update_events.recorded_at; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.job_instance_update_events.recorded_at IS 'The same moment on the clock of Postgres; ages are measured by it.';

--
-- Name: instance_progress; Type: VIEW; Schema: public; Owner: -
--

CREATE VIEW public.instance_progress AS
 SELECT u.role,
    u.environment,
    u.job_name,
    i.update_id,
    i.instance_id,
    (array_agg(i.action ORDER BY i.id DESC))[1] AS last_action,
    min(i.happened_at) AS first_touched_at,
    max(i.happened_at) AS last_touched_at,
    array_agg(i.action ORDER BY i.id) AS actions
   FROM (public.job_instance_update_events i
     JOIN public.job_updates u USING (update_id))
  GROUP BY u.role, u.environment, u.job_name, i.update_id, i.instance_id;

--
-- Name: VIEW instance_progress; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON VIEW public.instance_progress IS 'How far each touched instance of each update is.';

--
-- Name: COLUMN instance_progress.role; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.instance_progress.role IS 'Role of the job key.';

--
-- Name: COLUMN instance_progress.environment; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.instance_progress.environment IS 'Environment of the job key.';

--
-- Name: COLUMN instance_progress.job_name; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.instance_progress.job_name IS 'Name of the job key.';

--
-- Name: COLUMN instance_progress.update_id; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.instance_progress.update_id IS 'The update that touched the instance.';

--
-- Name: COLUMN instance_progress.instance_id; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.instance_progress.instance_id IS 'Number of the instance in its job, from 0 on.';

--
-- Name: COLUMN instance_progress.last_action; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.instance_progress.last_action IS 'Where it is now: ..._UPDATING and ..._ROLLING_BACK are in hand, all others are done.';

--
-- Name: COLUMN instance_progress.first_touched_at; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.instance_progress.first_touched_at IS 'Time of its first event in this update.';

--
-- Name: COLUMN instance_progress.last_touched_at; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.instance_progress.last_touched_at IS 'Time of its newest event in this update.';

--
-- Name: COLUMN instance_progress.actions; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.instance_progress.actions IS 'All its JobUpdateActions in this update, in order; notes repeat one.';

--
-- Name: job_update_initial_configs; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.job_update_initial_configs (
    update_id text NOT NULL,
    config_hash text NOT NULL,
    instances jsonb NOT NULL
);

--
-- Name: TABLE job_update_initial_configs; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON TABLE public.job_update_initial_configs IS 'What an update replaces: each old config and the closed ranges of instances that had it.';

--
-- Name: COLUMN job_update_initial_configs.update_id; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.job_update_initial_configs.update_id IS 'The update that found it so when it was started.';

--
-- Name: COLUMN job_update_initial_configs.config_hash; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.job_update_initial_configs.config_hash IS 'The old configuration: a row of task_configs.';

--
-- Name: COLUMN job_update_initial_configs.instances; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.job_update_initial_configs.instances IS 'Instances that had it, as closed ranges of ids: [[first, last], ...].';

--
-- Name: jobs; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.jobs (
    role text NOT NULL,
    environment text NOT NULL,
    name text NOT NULL,
    created_at timestamp with time zone DEFAULT public.shim_clock() NOT NULL
);

--
-- Name: TABLE jobs; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON TABLE public.jobs IS 'Every job key that ever had a task, an update or a cron schedule.';

--
-- Name: COLUMN jobs.role; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.jobs.role IS 'First part of the job key role/environment/name: who owns the job.';

--
-- Name: COLUMN jobs.environment; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.jobs.environment IS 'Second part of the job key, such as prod, test or devel.';

--
-- Name: COLUMN jobs.name; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.jobs.name IS 'Third part of the job key; job_name in other tables.';

--
-- Name: COLUMN jobs.created_at; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.jobs.created_at IS 'When the key was first used, on the clock of Postgres.';

--
-- Name: quotas; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.quotas (
    role text NOT NULL,
    cpus double precision NOT NULL,
    ram_mb bigint NOT NULL,
    disk_mb bigint NOT NULL,
    updated_at timestamp with time zone DEFAULT public.shim_clock() NOT NULL,
    CONSTRAINT quotas_cpus_check CHECK ((cpus >= (0)::double precision)),
    CONSTRAINT quotas_disk_mb_check CHECK ((disk_mb >= 0)),
    CONSTRAINT quotas_ram_mb_check CHECK ((ram_mb >= 0))
);

--
-- Name: TABLE quotas; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON TABLE public.quotas IS 'What the tasks of a role in production tiers, on hosts that are not dedicated, may use together. A role without a row has no quota: it can run no such task.';

--
-- Name: COLUMN quotas.role; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.quotas.role IS 'Role part of the job keys it holds for.';

--
-- Name: COLUMN quotas.cpus; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.quotas.cpus IS 'Cores.';

--
-- Name: COLUMN quotas.ram_mb; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.quotas.ram_mb IS 'MiB.';

--
-- Name: COLUMN quotas.disk_mb; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.quotas.disk_mb IS 'MiB.';

--
-- Name: COLUMN quotas.updated_at; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.quotas.updated_at IS 'When setQuota last wrote the row.';

--
-- Name: recovery_session; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.recovery_session (
    id smallint NOT NULL,
    backup_id text NOT NULL,
    backup_created_at timestamp with time zone NOT NULL,
    backup_cluster text NOT NULL,
    backup_schema text NOT NULL,
    staged_by text NOT NULL,
    staged_at timestamp with time zone DEFAULT public.shim_clock() NOT NULL,
    CONSTRAINT recovery_session_id_check CHECK ((id = 1))
);

--
-- Name: TABLE recovery_session; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON TABLE public.recovery_session IS 'One row while a backup is staged in the schema recovery_staging, which has its tables; none otherwise.';

--
-- Name: COLUMN recovery_session.id; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.recovery_session.id IS 'Always 1: only one backup can be staged.';

--
-- Name: COLUMN recovery_session.backup_id; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.recovery_session.backup_id IS 'Name of the file in --backup_dir.';

--
-- Name: COLUMN recovery_session.backup_created_at; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.recovery_session.backup_created_at IS 'When that backup was begun, on the wall clock of the scheduler that wrote it.';

--
-- Name: COLUMN recovery_session.backup_cluster; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.recovery_session.backup_cluster IS 'The --cluster_name of the scheduler that wrote it.';

--
-- Name: COLUMN recovery_session.backup_schema; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.recovery_session.backup_schema IS 'Newest migration of the database it was taken from.';

--
-- Name: COLUMN recovery_session.staged_by; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.recovery_session.staged_by IS 'Who called stageRecovery.';

--
-- Name: COLUMN recovery_session.staged_at; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.recovery_session.staged_at IS 'When, on the clock of Postgres.';

--
-- Name: scheduler_fence; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.scheduler_fence (
    id smallint NOT NULL,
    epoch bigint NOT NULL,
    CONSTRAINT scheduler_fence_id_check CHECK ((id = 1))
);

--
-- Name: TABLE scheduler_fence; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON TABLE public.scheduler_fence IS 'One row: the epoch of the scheduler that may write. Raised at each takeover; writes of an older epoch are refused.';

--
-- Name: COLUMN scheduler_fence.id; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.scheduler_fence.id IS 'Always 1: the table has one row.';

--
-- Name: COLUMN scheduler_fence.epoch; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.scheduler_fence.epoch IS 'Counts takeovers, from 0; every write transaction names the one it was begun under.';

--
-- Name: scheduler_lease; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.scheduler_lease (
    id smallint NOT NULL,
    epoch bigint NOT NULL,
    holder uuid,
    beat bigint NOT NULL,
    host text,
    port integer,
    endpoint_name text,
    advertised boolean NOT NULL,
    ttl_ms integer NOT NULL,
    released boolean NOT NULL,
    schema_version integer,
    CONSTRAINT scheduler_lease_id_check CHECK ((id = 1)),
    CONSTRAINT scheduler_lease_ttl_ms_check CHECK ((ttl_ms > 0))
);

--
-- Name: TABLE scheduler_lease; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON TABLE public.scheduler_lease IS 'One row: the scheduler that leads, or led last. Apart from scheduler_fence, so that renewals and writers do not wait for each other.';

--
-- Name: COLUMN scheduler_lease.id; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.scheduler_lease.id IS 'Always 1: the table has one row.';

--
-- Name: COLUMN scheduler_lease.epoch; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.scheduler_lease.epoch IS 'Under which the holder writes; the value of scheduler_fence at its takeover.';

--
-- Name: COLUMN scheduler_lease.holder; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.scheduler_lease.holder IS 'Made anew by every process; also in its application_name.';

--
-- Name: COLUMN scheduler_lease.beat; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.scheduler_lease.beat IS 'Counts renewals. Others measure on a clock of their own for how long it stands still.';

--
-- Name: COLUMN scheduler_lease.host; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.scheduler_lease.host IS 'Where clients find the holder; set when it advertises.';

--
-- Name: COLUMN scheduler_lease.port; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.scheduler_lease.port IS 'Where clients find the holder; set when it advertises.';

--
-- Name: COLUMN scheduler_lease.endpoint_name; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.scheduler_lease.endpoint_name IS 'Scheme of that address.';

--
-- Name: COLUMN scheduler_lease.advertised; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.scheduler_lease.advertised IS 'The holder is ready for clients.';

--
-- Name: COLUMN scheduler_lease.ttl_ms; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.scheduler_lease.ttl_ms IS 'Silent for longer than this, the holder is taken for dead.';

--
-- Name: COLUMN scheduler_lease.released; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.scheduler_lease.released IS 'Nobody leads: the holder gave the lease back.';

--
-- Name: COLUMN scheduler_lease.schema_version; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.scheduler_lease.schema_version IS 'Number of the newest migration the holder has seen.';

--
-- Name: schema_breaking_migration; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.schema_breaking_migration (
    name text NOT NULL,
    reason text NOT NULL
);

--
-- Name: TABLE schema_breaking_migration; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON TABLE public.schema_breaking_migration IS 'Migrations after which releases that do not know them must not run, and why.';

--
-- Name: COLUMN schema_breaking_migration.name; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.schema_breaking_migration.name IS 'File name without .sql.';

--
-- Name: COLUMN schema_breaking_migration.reason; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.schema_breaking_migration.reason IS 'What an older release could not live with; part of its message when it refuses to start.';

--
-- Name: schema_migration; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.schema_migration (
    name character varying(255) NOT NULL,
    "timestamp" character varying(255) NOT NULL
);

--
-- Name: TABLE schema_migration; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON TABLE public.schema_migration IS 'Migrations run on this database, by file name.';

--
-- Name: COLUMN schema_migration.name; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.schema_migration.name IS 'File name without .sql; runs once.';

--
-- Name: COLUMN schema_migration."timestamp"; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.schema_migration."timestamp" IS 'When it was run: ISO 8601, UTC.';

--
-- Name: schema_migration_lock; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.schema_migration_lock (
    id character varying(255) NOT NULL,
    is_locked integer DEFAULT 0 NOT NULL
);

--
-- Name: TABLE schema_migration_lock; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON TABLE public.schema_migration_lock IS 'Belongs to the migrator; says nothing.';

--
-- Name: COLUMN schema_migration_lock.id; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.schema_migration_lock.id IS 'Always migration_lock: the table has one row.';

--
-- Name: COLUMN schema_migration_lock.is_locked; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.schema_migration_lock.is_locked IS 'Always 0: advisory locks are what counts on Postgres.';

--
-- Name: task_configs; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.task_configs (
    hash text NOT NULL,
    config jsonb NOT NULL,
    created_at timestamp with time zone DEFAULT public.shim_clock() NOT NULL
);

--
-- Name: TABLE task_configs; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON TABLE public.task_configs IS 'Task configurations, each stored once; the same hash means the same configuration.';

--
-- Name: COLUMN task_configs.hash; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.task_configs.hash IS 'SHA-256 of the canonical JSON text.';

--
-- Name: COLUMN task_configs.config; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.task_configs.config IS 'Field names of the Thrift struct TaskConfig.';

--
-- Name: COLUMN task_configs.created_at; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.task_configs.created_at IS 'When the configuration was first stored, on the clock of Postgres.';

--
-- Name: task_events_id_seq; Type: SEQUENCE; Schema: public; Owner: -
--

ALTER TABLE public.task_events ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.task_events_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

--
-- Name: SEQUENCE task_events_id_seq; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON SEQUENCE public.task_events_id_seq IS 'Numbers the events of tasks.';

--
-- Name: update_blockers; Type: VIEW; Schema: public; Owner: -
--

CREATE VIEW public.update_blockers AS
 SELECT u.role,
    u.environment,
    u.job_name,
    u.update_id,
    u.state,
        CASE
            WHEN (l.status = ANY (ARRAY['ROLL_FORWARD_PAUSED'::text, 'ROLL_BACK_PAUSED'::text])) THEN 'pause'::text
            ELSE 'heartbeat'::text
        END AS blocked_by,
    l.happened_at AS since,
    (public.shim_clock() - l.happened_at) AS lasted,
    l.user_name,
    l.message,
    NULL::integer AS instance_id,
    NULL::text AS task_id,
    NULL::text AS task_status,
    u.metadata
   FROM (public.job_updates u
     JOIN LATERAL ( SELECT e.status,
            e.happened_at,
            e.user_name,
            e.message
           FROM public.job_update_events e
          WHERE (e.update_id = u.update_id)
          ORDER BY e.id DESC
         LIMIT 1) l ON (true))
  WHERE ((u.state = ANY (ARRAY['ROLLING_FORWARD'::text, 'ROLLING_BACK'::text, 'ROLL_FORWARD_PAUSED'::text, 'ROLL_BACK_PAUSED'::text])) AND (l.status = ANY (ARRAY['ROLL_FORWARD_PAUSED'::text, 'ROLL_BACK_PAUSED'::text, 'ROLL_FORWARD_AWAITING_PULSE'::text, 'ROLL_BACK_AWAITING_PULSE'::text])))
UNION ALL
 SELECT u.role,
    u.environment,
    u.job_name,
    u.update_id,
    u.state,
    'instance'::text AS blocked_by,
    COALESCE(t.since, i.happened_at) AS since,
    (public.shim_clock() - COALESCE(t.since, i.happened_at)) AS lasted,
    NULL::text AS user_name,
    i.message,
    i.instance_id,
    t.task_id,
    t.status AS task_status,
    u.metadata
   FROM ((public.job_updates u
     CROSS JOIN LATERAL ( SELECT DISTINCT ON (e.instance_id) e.instance_id,
            e.action,
            e.happened_at,
            e.message
           FROM public.job_instance_update_events e
          WHERE (e.update_id = u.update_id)
          ORDER BY e.instance_id, e.id DESC) i)
     LEFT JOIN LATERAL ( SELECT a.task_id,
            a.status,
            ( SELECT x.happened_at
                   FROM public.task_events x
                  WHERE (x.task_id = a.task_id)
                  ORDER BY x.id DESC
                 LIMIT 1) AS since
           FROM public.tasks a
          WHERE ((a.role = u.role) AND (a.environment = u.environment) AND (a.job_name = u.job_name) AND (a.instance_id = i.instance_id) AND (a.removed_at IS NULL) AND (a.status = ANY (ARRAY['PENDING'::text, 'STARTING'::text, 'RUNNING'::text, 'KILLING'::text, 'ASSIGNED'::text, 'RESTARTING'::text, 'PREEMPTING'::text, 'THROTTLED'::text, 'DRAINING'::text, 'PARTITIONED'::text])))) t ON (true))
  WHERE (((u.state = ANY (ARRAY['ROLLING_FORWARD'::text, 'ROLL_FORWARD_PAUSED'::text])) AND (i.action = 'INSTANCE_UPDATING'::text)) OR ((u.state = ANY (ARRAY['ROLLING_BACK'::text, 'ROLL_BACK_PAUSED'::text])) AND (i.action = 'INSTANCE_ROLLING_BACK'::text)));

--
-- Name: VIEW update_blockers; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON VIEW public.update_blockers IS 'What active updates wait for, as far as it is stored: one row for a pause or a recorded block for want of a heartbeat, and one for each instance that is in hand. Heartbeats themselves are in no table: a block nobody has tried to act behind is not here; ask the API (getJobUpdateBlockers).';

--
-- Name: COLUMN update_blockers.role; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.update_blockers.role IS 'Role of the job key.';

--
-- Name: COLUMN update_blockers.environment; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.update_blockers.environment IS 'Environment of the job key.';

--
-- Name: COLUMN update_blockers.job_name; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.update_blockers.job_name IS 'Name of the job key.';

--
-- Name: COLUMN update_blockers.update_id; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.update_blockers.update_id IS 'The update that waits.';

--
-- Name: COLUMN update_blockers.state; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.update_blockers.state IS 'What was asked for: rolling or paused, forward or back. Says nothing of heartbeats.';

--
-- Name: COLUMN update_blockers.blocked_by; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.update_blockers.blocked_by IS 'pause: until somebody resumes. heartbeat: until the next one. instance: until its task is where it must be.';

--
-- Name: COLUMN update_blockers.since; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.update_blockers.since IS 'Time of the pause, of the first refused action, or of the newest event of the instance''s task.';

--
-- Name: COLUMN update_blockers.lasted; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.update_blockers.lasted IS 'From since to now.';

--
-- Name: COLUMN update_blockers.user_name; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.update_blockers.user_name IS 'Who paused, or who started or resumed an update that waits for a heartbeat since; empty where nobody did.';

--
-- Name: COLUMN update_blockers.message; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.update_blockers.message IS 'Of the pause or block; of an instance the newest note, which tells of an SLA check.';

--
-- Name: COLUMN update_blockers.instance_id; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.update_blockers.instance_id IS 'The instance in hand; empty for a pause or a missing heartbeat.';

--
-- Name: COLUMN update_blockers.task_id; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.update_blockers.task_id IS 'Active task of that instance; empty where it has none.';

--
-- Name: COLUMN update_blockers.task_status; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.update_blockers.task_status IS 'Of the active task of the instance; empty where it has none. RUNNING may mean that it is watched, or that the SLA has not let it be killed.';

--
-- Name: COLUMN update_blockers.metadata; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.update_blockers.metadata IS 'What the starter of the update attached, such as where its monitor is: [{"key": "...", "value": "..."}, ...].';

--
-- Name: update_timeline; Type: VIEW; Schema: public; Owner: -
--

CREATE VIEW public.update_timeline AS
 SELECT u.role,
    u.environment,
    u.job_name,
    e.update_id,
    e.happened_at,
    'update'::text AS kind,
    e.status AS what,
    NULL::integer AS instance_id,
    e.user_name,
    e.message,
    e.id AS seq
   FROM (public.job_update_events e
     JOIN public.job_updates u USING (update_id))
UNION ALL
 SELECT u.role,
    u.environment,
    u.job_name,
    i.update_id,
    i.happened_at,
    'instance'::text AS kind,
    i.action AS what,
    i.instance_id,
    NULL::text AS user_name,
    i.message,
    i.id AS seq
   FROM (public.job_instance_update_events i
     JOIN public.job_updates u USING (update_id));

--
-- Name: VIEW update_timeline; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON VIEW public.update_timeline IS 'Everything that happened in updates; ORDER BY seq to read it as a story.';

--
-- Name: COLUMN update_timeline.role; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.update_timeline.role IS 'Role of the job key.';

--
-- Name: COLUMN update_timeline.environment; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.update_timeline.environment IS 'Environment of the job key.';

--
-- Name: COLUMN update_timeline.job_name; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.update_timeline.job_name IS 'Name of the job key.';

--
-- Name: COLUMN update_timeline.update_id; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.update_timeline.update_id IS 'The update it happened in.';

--
-- Name: COLUMN update_timeline.happened_at; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.update_timeline.happened_at IS 'Wall time of the scheduler; never goes back within an update.';

--
-- Name: COLUMN update_timeline.kind; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.update_timeline.kind IS 'update: the status of the whole update changed. instance: something was done to one instance.';

--
-- Name: COLUMN update_timeline.what; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.update_timeline.what IS 'JobUpdateStatus of an update event, JobUpdateAction of an instance event.';

--
-- Name: COLUMN update_timeline.instance_id; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.update_timeline.instance_id IS 'Which instance, from 0 on; empty for update events.';

--
-- Name: COLUMN update_timeline.user_name; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.update_timeline.user_name IS 'Who asked for it; empty where the scheduler acted by itself.';

--
-- Name: COLUMN update_timeline.message; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.update_timeline.message IS 'What that person said, or the reason the scheduler had.';

--
-- Name: COLUMN update_timeline.seq; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.update_timeline.seq IS 'Order of update and instance events among each other; has gaps.';

--
-- Name: write_receipts; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.write_receipts (
    id uuid NOT NULL,
    written_at timestamp with time zone DEFAULT public.shim_clock() NOT NULL
);

--
-- Name: TABLE write_receipts; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON TABLE public.write_receipts IS 'One row for each write transaction of the last minutes: tells whether a COMMIT whose answer was lost took effect.';

--
-- Name: COLUMN write_receipts.id; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.write_receipts.id IS 'Drawn by the scheduler for one write transaction.';

--
-- Name: COLUMN write_receipts.written_at; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.write_receipts.written_at IS 'Start of that transaction on the clock of Postgres; rows are deleted minutes later.';

--
-- Name: backend_commands backend_commands_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.backend_commands
    ADD CONSTRAINT backend_commands_pkey PRIMARY KEY (id);

--
-- Name: cron_follow_ups cron_follow_ups_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.cron_follow_ups
    ADD CONSTRAINT cron_follow_ups_pkey PRIMARY KEY (role, environment, job_name);

--
-- Name: cron_jobs cron_jobs_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.cron_jobs
    ADD CONSTRAINT cron_jobs_pkey PRIMARY KEY (role, environment, job_name);

--
-- Name: host_maintenance_requests host_maintenance_requests_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.host_maintenance_requests
    ADD CONSTRAINT host_maintenance_requests_pkey PRIMARY KEY (host);

--
-- Name: hosts hosts_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.hosts
    ADD CONSTRAINT hosts_pkey PRIMARY KEY (host);

--
-- Name: job_instance_update_events job_instance_update_events_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.job_instance_update_events
    ADD CONSTRAINT job_instance_update_events_pkey PRIMARY KEY (id);

--
-- Name: job_update_events job_update_events_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.job_update_events
    ADD CONSTRAINT job_update_events_pkey PRIMARY KEY (id);

--
-- Name: job_update_initial_configs job_update_initial_configs_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.job_update_initial_configs
    ADD CONSTRAINT job_update_initial_configs_pkey PRIMARY KEY (update_id, config_hash);

--
-- Name: job_updates job_updates_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.job_updates
    ADD CONSTRAINT job_updates_pkey PRIMARY KEY (update_id);

--
-- Name: jobs jobs_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.jobs
    ADD CONSTRAINT jobs_pkey PRIMARY KEY (role, environment, name);

--
-- Name: quotas quotas_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.quotas
    ADD CONSTRAINT quotas_pkey PRIMARY KEY (role);

--
-- Name: recovery_session recovery_session_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.recovery_session
    ADD CONSTRAINT recovery_session_pkey PRIMARY KEY (id);

--
-- Name: scheduler_fence scheduler_fence_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.scheduler_fence
    ADD CONSTRAINT scheduler_fence_pkey PRIMARY KEY (id);

--
-- Name: scheduler_lease scheduler_lease_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.scheduler_lease
    ADD CONSTRAINT scheduler_lease_pkey PRIMARY KEY (id);

--
-- Name: schema_breaking_migration schema_breaking_migration_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.schema_breaking_migration
    ADD CONSTRAINT schema_breaking_migration_pkey PRIMARY KEY (name);

--
-- Name: schema_migration_lock schema_migration_lock_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.schema_migration_lock
    ADD CONSTRAINT schema_migration_lock_pkey PRIMARY KEY (id);

--
-- Name: schema_migration schema_migration_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.schema_migration
    ADD CONSTRAINT schema_migration_pkey PRIMARY KEY (name);

--
-- Name: task_configs task_configs_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.task_configs
    ADD CONSTRAINT task_configs_pkey PRIMARY KEY (hash);

--
-- Name: task_events task_events_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.task_events
    ADD CONSTRAINT task_events_pkey PRIMARY KEY (id);

--
-- Name: tasks tasks_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.tasks
    ADD CONSTRAINT tasks_pkey PRIMARY KEY (task_id);

--
-- Name: write_receipts write_receipts_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.write_receipts
    ADD CONSTRAINT write_receipts_pkey PRIMARY KEY (id);

--
-- Name: backend_commands_by_task; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX backend_commands_by_task ON public.backend_commands USING btree (task_id);

--
-- Name: INDEX backend_commands_by_task; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON INDEX public.backend_commands_by_task IS 'Whether anything is left to be told about a task.';

--
-- Name: job_instance_update_events_by_update; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX job_instance_update_events_by_update ON public.job_instance_update_events USING btree (update_id, id);

--
-- Name: INDEX job_instance_update_events_by_update; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON INDEX public.job_instance_update_events_by_update IS 'What an update did, in order.';

--
-- Name: job_instance_update_events_once; Type: INDEX; Schema: public; Owner: -
--

CREATE UNIQUE INDEX job_instance_update_events_once ON public.job_instance_update_events USING btree (update_id, instance_id, action) WHERE (message IS NULL);

--
-- Name: INDEX job_instance_update_events_once; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON INDEX public.job_instance_update_events_once IS 'Each action at most once for an instance of an update; rows with a message are notes beside it.';

--
-- Name: job_update_events_by_update; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX job_update_events_by_update ON public.job_update_events USING btree (update_id, id);

--
-- Name: INDEX job_update_events_by_update; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON INDEX public.job_update_events_by_update IS 'The events of an update in their order, and its newest.';

--
-- Name: job_updates_by_job; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX job_updates_by_job ON public.job_updates USING btree (role, environment, job_name, last_modified_at DESC);

--
-- Name: INDEX job_updates_by_job; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON INDEX public.job_updates_by_job IS 'Updates of a job, the one changed last first.';

--
-- Name: job_updates_by_modified; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX job_updates_by_modified ON public.job_updates USING btree (last_modified_at DESC, update_id);

--
-- Name: INDEX job_updates_by_modified; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON INDEX public.job_updates_by_modified IS 'All updates, the one changed last first.';

--
-- Name: job_updates_one_active_per_job; Type: INDEX; Schema: public; Owner: -
--

CREATE UNIQUE INDEX job_updates_one_active_per_job ON public.job_updates USING btree (role, environment, job_name) WHERE (state = ANY (ARRAY['ROLLING_FORWARD'::text, 'ROLLING_BACK'::text, 'ROLL_FORWARD_PAUSED'::text, 'ROLL_BACK_PAUSED'::text]));

--
-- Name: INDEX job_updates_one_active_per_job; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON INDEX public.job_updates_one_active_per_job IS 'A job never has two active updates.';

--
-- Name: task_events_by_task; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX task_events_by_task ON public.task_events USING btree (task_id, id);

--
-- Name: INDEX task_events_by_task; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON INDEX public.task_events_by_task IS 'The events of a task in their order, and its newest.';

--
-- Name: tasks_active_by_host; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX tasks_active_by_host ON public.tasks USING btree (slave_host) WHERE ((slave_host IS NOT NULL) AND (removed_at IS NULL) AND (status = ANY (ARRAY['PENDING'::text, 'STARTING'::text, 'RUNNING'::text, 'KILLING'::text, 'ASSIGNED'::text, 'RESTARTING'::text, 'PREEMPTING'::text, 'THROTTLED'::text, 'DRAINING'::text, 'PARTITIONED'::text])));

--
-- Name: INDEX tasks_active_by_host; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON INDEX public.tasks_active_by_host IS 'What still holds a host: for drains.';

--
-- Name: tasks_by_job; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX tasks_by_job ON public.tasks USING btree (role, environment, job_name, instance_id);

--
-- Name: INDEX tasks_by_job; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON INDEX public.tasks_by_job IS 'All generations of a job or of one of its instances.';

--
-- Name: tasks_ended; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX tasks_ended ON public.tasks USING btree (ended_at) WHERE (ended_at IS NOT NULL);

--
-- Name: INDEX tasks_ended; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON INDEX public.tasks_ended IS 'Finds what ended so long ago that it is forgotten, tombstones included.';

--
-- Name: tasks_ended_of_job; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX tasks_ended_of_job ON public.tasks USING btree (role, environment, job_name, ended_at, task_id) WHERE ((ended_at IS NOT NULL) AND (removed_at IS NULL));

--
-- Name: INDEX tasks_ended_of_job; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON INDEX public.tasks_ended_of_job IS 'Finds the oldest ended tasks of a job that has more than it may keep.';

--
-- Name: tasks_one_active_per_instance; Type: INDEX; Schema: public; Owner: -
--

CREATE UNIQUE INDEX tasks_one_active_per_instance ON public.tasks USING btree (role, environment, job_name, instance_id) WHERE ((removed_at IS NULL) AND (status = ANY (ARRAY['PENDING'::text, 'STARTING'::text, 'RUNNING'::text, 'KILLING'::text, 'ASSIGNED'::text, 'RESTARTING'::text, 'PREEMPTING'::text, 'THROTTLED'::text, 'DRAINING'::text, 'PARTITIONED'::text])));

--
-- Name: INDEX tasks_one_active_per_instance; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON INDEX public.tasks_one_active_per_instance IS 'An instance never has two active tasks.';

--
-- Name: write_receipts_written_at; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX write_receipts_written_at ON public.write_receipts USING btree (written_at);

--
-- Name: INDEX write_receipts_written_at; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON INDEX public.write_receipts_written_at IS 'Finds receipts old enough to be deleted.';

--
-- Name: job_instance_update_events append_only; Type: TRIGGER; Schema: public; Owner: -
--

CREATE TRIGGER append_only BEFORE DELETE OR UPDATE OR TRUNCATE ON public.job_instance_update_events FOR EACH STATEMENT EXECUTE FUNCTION public.shim_append_only();

--
-- Name: TRIGGER append_only ON job_instance_update_events; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON TRIGGER append_only ON public.job_instance_update_events IS 'Only shim_prune_updates deletes.';

--
-- Name: job_update_events append_only; Type: TRIGGER; Schema: public; Owner: -
--

CREATE TRIGGER append_only BEFORE DELETE OR UPDATE OR TRUNCATE ON public.job_update_events FOR EACH STATEMENT EXECUTE FUNCTION public.shim_append_only();

--
-- Name: TRIGGER append_only ON job_update_events; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON TRIGGER append_only ON public.job_update_events IS 'Only shim_prune_updates deletes.';

--
-- Name: task_events append_only; Type: TRIGGER; Schema: public; Owner: -
--

CREATE TRIGGER append_only BEFORE DELETE OR UPDATE OR TRUNCATE ON public.task_events FOR EACH STATEMENT EXECUTE FUNCTION public.shim_append_only();

--
-- Name: TRIGGER append_only ON task_events; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON TRIGGER append_only ON public.task_events IS 'Only shim_prune_tasks deletes.';

--
-- Name: tasks task_ended; Type: TRIGGER; Schema: public; Owner: -
--

CREATE TRIGGER task_ended BEFORE INSERT OR UPDATE OF status, removed_at ON public.tasks FOR EACH ROW WHEN (((new.ended_at IS NULL) AND ((new.removed_at IS NOT NULL) OR (new.status = ANY (ARRAY['FINISHED'::text, 'FAILED'::text, 'KILLED'::text, 'LOST'::text]))))) EXECUTE FUNCTION public.shim_task_ended();

--
-- Name: TRIGGER task_ended ON tasks; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON TRIGGER task_ended ON public.tasks IS 'Fills in ended_at.';

--
-- Name: cron_follow_ups cron_follow_ups_config_hash_fkey; Type: FK CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.cron_follow_ups
    ADD CONSTRAINT cron_follow_ups_config_hash_fkey FOREIGN KEY (config_hash) REFERENCES public.task_configs(hash);

--
-- Name: cron_follow_ups cron_follow_ups_role_environment_job_name_fkey; Type: FK CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.cron_follow_ups
    ADD CONSTRAINT cron_follow_ups_role_environment_job_name_fkey FOREIGN KEY (role, environment, job_name) REFERENCES public.jobs(role, environment, name);

--
-- Name: cron_jobs cron_jobs_config_hash_fkey; Type: FK CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.cron_jobs
    ADD CONSTRAINT cron_jobs_config_hash_fkey FOREIGN KEY (config_hash) REFERENCES public.task_configs(hash);

--
-- Name: cron_jobs cron_jobs_role_environment_job_name_fkey; Type: FK CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.cron_jobs
    ADD CONSTRAINT cron_jobs_role_environment_job_name_fkey FOREIGN KEY (role, environment, job_name) REFERENCES public.jobs(role, environment, name);

--
-- Name: job_instance_update_events job_instance_update_events_update_id_fkey; Type: FK CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.job_instance_update_events
    ADD CONSTRAINT job_instance_update_events_update_id_fkey FOREIGN KEY (update_id) REFERENCES public.job_updates(update_id) ON DELETE CASCADE;

--
-- Name: job_update_events job_update_events_update_id_fkey; Type: FK CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.job_update_events
    ADD CONSTRAINT job_update_events_update_id_fkey FOREIGN KEY (update_id) REFERENCES public.job_updates(update_id) ON DELETE CASCADE;

--
-- Name: job_update_initial_configs job_update_initial_configs_config_hash_fkey; Type: FK CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.job_update_initial_configs
    ADD CONSTRAINT job_update_initial_configs_config_hash_fkey FOREIGN KEY (config_hash) REFERENCES public.task_configs(hash);

--
-- Name: job_update_initial_configs job_update_initial_configs_update_id_fkey; Type: FK CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.job_update_initial_configs
    ADD CONSTRAINT job_update_initial_configs_update_id_fkey FOREIGN KEY (update_id) REFERENCES public.job_updates(update_id) ON DELETE CASCADE;

--
-- Name: job_updates job_updates_desired_config_hash_fkey; Type: FK CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.job_updates
    ADD CONSTRAINT job_updates_desired_config_hash_fkey FOREIGN KEY (desired_config_hash) REFERENCES public.task_configs(hash);

--
-- Name: job_updates job_updates_role_environment_job_name_fkey; Type: FK CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.job_updates
    ADD CONSTRAINT job_updates_role_environment_job_name_fkey FOREIGN KEY (role, environment, job_name) REFERENCES public.jobs(role, environment, name);

--
-- Name: task_events task_events_task_id_fkey; Type: FK CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.task_events
    ADD CONSTRAINT task_events_task_id_fkey FOREIGN KEY (task_id) REFERENCES public.tasks(task_id) ON DELETE CASCADE;

--
-- Name: tasks tasks_config_hash_fkey; Type: FK CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.tasks
    ADD CONSTRAINT tasks_config_hash_fkey FOREIGN KEY (config_hash) REFERENCES public.task_configs(hash);

--
-- Name: tasks tasks_role_environment_job_name_fkey; Type: FK CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.tasks
    ADD CONSTRAINT tasks_role_environment_job_name_fkey FOREIGN KEY (role, environment, job_name) REFERENCES public.jobs(role, environment, name);

--
-- Name: SCHEMA public; Type: ACL; Schema: -; Owner: -
--

GRANT USAGE ON SCHEMA public TO aurora_shim_auditor;

--
-- Name: SCHEMA recovery_staging; Type: ACL; Schema: -; Owner: -
--

GRANT USAGE ON SCHEMA recovery_staging TO aurora_shim_auditor;

--
-- Name: FUNCTION shim_begin_write(my_epoch bigint, receipt uuid, idle_timeout_ms integer); Type: ACL; Schema: public; Owner: -
--

REVOKE ALL ON FUNCTION public.shim_begin_write(my_epoch bigint, receipt uuid, idle_timeout_ms integer) FROM PUBLIC;

--
-- Name: FUNCTION shim_close_staging(); Type: ACL; Schema: public; Owner: -
--

REVOKE ALL ON FUNCTION public.shim_close_staging() FROM PUBLIC;

--
-- Name: FUNCTION shim_link_staging(tables regclass[]); Type: ACL; Schema: public; Owner: -
--

REVOKE ALL ON FUNCTION public.shim_link_staging(tables regclass[]) FROM PUBLIC;

--
-- Name: FUNCTION shim_open_staging(tables regclass[]); Type: ACL; Schema: public; Owner: -
--

REVOKE ALL ON FUNCTION public.shim_open_staging(tables regclass[]) FROM PUBLIC;

--
-- Name: FUNCTION shim_prune_tasks(task_ids text[]); Type: ACL; Schema: public; Owner: -
--

REVOKE ALL ON FUNCTION public.shim_prune_tasks(task_ids text[]) FROM PUBLIC;

--
-- Name: FUNCTION shim_prune_updates(update_ids text[]); Type: ACL; Schema: public; Owner: -
--

REVOKE ALL ON FUNCTION public.shim_prune_updates(update_ids text[]) FROM PUBLIC;

--
-- Name: FUNCTION shim_replace_state(tables regclass[], merged regclass[]); Type: ACL; Schema: public; Owner: -
--

REVOKE ALL ON FUNCTION public.shim_replace_state(tables regclass[], merged regclass[]) FROM PUBLIC;

--
-- Name: FUNCTION shim_take_lease(seen_epoch bigint, seen_beat bigint, new_holder uuid, new_ttl_ms integer, new_schema_version integer); Type: ACL; Schema: public; Owner: -
--

REVOKE ALL ON FUNCTION public.shim_take_lease(seen_epoch bigint, seen_beat bigint, new_holder uuid, new_ttl_ms integer, new_schema_version integer) FROM PUBLIC;

--
-- Name: FUNCTION shim_take_over(); Type: ACL; Schema: public; Owner: -
--

REVOKE ALL ON FUNCTION public.shim_take_over() FROM PUBLIC;

--
-- Name: FUNCTION shim_task_ended(); Type: ACL; Schema: public; Owner: -
--

REVOKE ALL ON FUNCTION public.shim_task_ended() FROM PUBLIC;

--
-- Name: TABLE job_updates; Type: ACL; Schema: public; Owner: -
--

GRANT SELECT ON TABLE public.job_updates TO aurora_shim_auditor;

--
-- Name: TABLE active_updates; Type: ACL; Schema: public; Owner: -
--

GRANT SELECT ON TABLE public.active_updates TO aurora_shim_auditor;

--
-- Name: TABLE backend_commands; Type: ACL; Schema: public; Owner: -
--

GRANT SELECT ON TABLE public.backend_commands TO aurora_shim_auditor;

--
-- Name: TABLE cron_follow_ups; Type: ACL; Schema: public; Owner: -
--

GRANT SELECT ON TABLE public.cron_follow_ups TO aurora_shim_auditor;

--
-- Name: TABLE cron_jobs; Type: ACL; Schema: public; Owner: -
--

GRANT SELECT ON TABLE public.cron_jobs TO aurora_shim_auditor;

--
-- Name: TABLE job_update_events; Type: ACL; Schema: public; Owner: -
--

GRANT SELECT ON TABLE public.job_update_events TO aurora_shim_auditor;

--
-- Name: TABLE explicit_pauses; Type: ACL; Schema: public; Owner: -
--

GRANT SELECT ON TABLE public.explicit_pauses TO aurora_shim_auditor;

--
-- Name: TABLE heartbeat_blocks; Type: ACL; Schema: public; Owner: -
--

GRANT SELECT ON TABLE public.heartbeat_blocks TO aurora_shim_auditor;

--
-- Name: TABLE host_maintenance_requests; Type: ACL; Schema: public; Owner: -
--

GRANT SELECT ON TABLE public.host_maintenance_requests TO aurora_shim_auditor;

--
-- Name: TABLE hosts; Type: ACL; Schema: public; Owner: -
--

GRANT SELECT ON TABLE public.hosts TO aurora_shim_auditor;

--
-- Name: TABLE tasks; Type: ACL; Schema: public; Owner: -
--

GRANT SELECT ON TABLE public.tasks TO aurora_shim_auditor;

--
-- Name: TABLE host_maintenance; Type: ACL; Schema: public; Owner: -
--

GRANT SELECT ON TABLE public.host_maintenance TO aurora_shim_auditor;

--
-- Name: TABLE task_events; Type: ACL; Schema: public; Owner: -
--

GRANT SELECT ON TABLE public.task_events TO aurora_shim_auditor;

--
-- Name: TABLE instance_history; Type: ACL; Schema: public; Owner: -
--

GRANT SELECT ON TABLE public.instance_history TO aurora_shim_auditor;

--
-- Name: TABLE job_instance_update_events; Type: ACL; Schema: public; Owner: -
--

GRANT SELECT ON TABLE public.job_instance_update_events TO aurora_shim_auditor;

--
-- Name: TABLE instance_progress; Type: ACL; Schema: public; Owner: -
--

GRANT SELECT ON TABLE public.instance_progress TO aurora_shim_auditor;

--
-- Name: TABLE job_update_initial_configs; Type: ACL; Schema: public; Owner: -
--

GRANT SELECT ON TABLE public.job_update_initial_configs TO aurora_shim_auditor;

--
-- Name: TABLE jobs; Type: ACL; Schema: public; Owner: -
--

GRANT SELECT ON TABLE public.jobs TO aurora_shim_auditor;

--
-- Name: TABLE quotas; Type: ACL; Schema: public; Owner: -
--

GRANT SELECT ON TABLE public.quotas TO aurora_shim_auditor;

--
-- Name: TABLE recovery_session; Type: ACL; Schema: public; Owner: -
--

GRANT SELECT ON TABLE public.recovery_session TO aurora_shim_auditor;

--
-- Name: TABLE scheduler_fence; Type: ACL; Schema: public; Owner: -
--

GRANT SELECT ON TABLE public.scheduler_fence TO aurora_shim_auditor;

--
-- Name: TABLE scheduler_lease; Type: ACL; Schema: public; Owner: -
--

GRANT SELECT ON TABLE public.scheduler_lease TO aurora_shim_auditor;

--
-- Name: TABLE schema_breaking_migration; Type: ACL; Schema: public; Owner: -
--

GRANT SELECT ON TABLE public.schema_breaking_migration TO aurora_shim_auditor;

--
-- Name: TABLE schema_migration; Type: ACL; Schema: public; Owner: -
--

GRANT SELECT ON TABLE public.schema_migration TO aurora_shim_auditor;

--
-- Name: TABLE schema_migration_lock; Type: ACL; Schema: public; Owner: -
--

GRANT SELECT ON TABLE public.schema_migration_lock TO aurora_shim_auditor;

--
-- Name: TABLE task_configs; Type: ACL; Schema: public; Owner: -
--

GRANT SELECT ON TABLE public.task_configs TO aurora_shim_auditor;

--
-- Name: TABLE update_blockers; Type: ACL; Schema: public; Owner: -
--

GRANT SELECT ON TABLE public.update_blockers TO aurora_shim_auditor;

--
-- Name: TABLE update_timeline; Type: ACL; Schema: public; Owner: -
--

GRANT SELECT ON TABLE public.update_timeline TO aurora_shim_auditor;

--
-- Name: TABLE write_receipts; Type: ACL; Schema: public; Owner: -
--

GRANT SELECT ON TABLE public.write_receipts TO aurora_shim_auditor;

--
-- Name: DEFAULT PRIVILEGES FOR TABLES; Type: DEFAULT ACL; Schema: public; Owner: -
--

ALTER DEFAULT PRIVILEGES FOR ROLE aurora IN SCHEMA public GRANT SELECT ON TABLES  TO aurora_shim_auditor;
