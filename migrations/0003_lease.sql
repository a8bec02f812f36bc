-- The leader's lease (operations.md §2.5): who leads, and since when it has been silent. The fence of 0001
-- stays what keeps a deposed scheduler from writing.

CREATE TABLE scheduler_lease (
  id smallint PRIMARY KEY CHECK (id = 1),
  epoch bigint NOT NULL,
  holder uuid,
  beat bigint NOT NULL,
  host text,
  port integer,
  endpoint_name text,
  advertised boolean NOT NULL,
  ttl_ms integer NOT NULL CHECK (ttl_ms > 0),
  released boolean NOT NULL,
  schema_version integer
);
COMMENT ON TABLE scheduler_lease IS
  'One row: the scheduler that leads, or led last. Apart from scheduler_fence, so that renewals and writers do not wait for each other.';
COMMENT ON COLUMN scheduler_lease.epoch IS 'Under which the holder writes; the value of scheduler_fence at its takeover.';
COMMENT ON COLUMN scheduler_lease.holder IS 'Made anew by every process; also in its application_name.';
COMMENT ON COLUMN scheduler_lease.beat IS 'Counts renewals. Others measure on a clock of their own for how long it stands still.';
COMMENT ON COLUMN scheduler_lease.host IS 'Where clients find the holder; set when it advertises.';
COMMENT ON COLUMN scheduler_lease.port IS 'Where clients find the holder; set when it advertises.';
COMMENT ON COLUMN scheduler_lease.endpoint_name IS 'Scheme of that address.';
COMMENT ON COLUMN scheduler_lease.advertised IS 'The holder is ready for clients.';
COMMENT ON COLUMN scheduler_lease.ttl_ms IS 'Silent for longer than this, the holder is taken for dead.';
COMMENT ON COLUMN scheduler_lease.released IS 'Nobody leads: the holder gave the lease back.';
COMMENT ON COLUMN scheduler_lease.schema_version IS 'Number of the newest migration the holder has seen.';
INSERT INTO scheduler_lease (id, epoch, beat, advertised, ttl_ms, released)
SELECT 1, epoch, 0, false, 10000, true FROM scheduler_fence WHERE id = 1;

-- The row is claimed first: of two candidates the later one finds it changed, and a holder that is alive
-- cannot renew from here on. Then the writers of the old epoch are waited for.
CREATE FUNCTION shim_take_lease(
  seen_epoch bigint, seen_beat bigint, new_holder uuid, new_ttl_ms integer, new_schema_version integer
) RETURNS bigint LANGUAGE plpgsql AS $$
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
COMMENT ON FUNCTION shim_take_lease(bigint, bigint, uuid, integer, integer) IS
  'Takes the lease over and raises the epoch, which is returned; NULL when the row is not any more as it was seen.';
