-- The logs of runs: sealed chunks, a table a day, so that a day goes as one once its key is gone.
create table working.run_log_chunks (
  run_id       uuid        not null,
  server_id    uuid        not null,
  attempt      integer     not null,
  seq          bigint      not null,
  day          date        not null,                 -- of `at`, in UTC
  workspace_id uuid        not null,
  fence        bigint      not null,                 -- of the worker that wrote it
  at           timestamptz not null,
  first_line   bigint      not null,
  last_line    bigint      not null,                 -- the line before the first where it has none
  out_bytes    integer     not null,
  err_bytes    integer     not null,
  all_bytes    integer     not null,                 -- of all streams, with our own remarks
  out_end      bigint      not null,                 -- the bytes of this and all earlier chunks
  err_end      bigint      not null,
  all_end      bigint      not null,
  out_offset   bigint      not null,                 -- bytes as the command wrote them: all before is kept
  err_offset   bigint      not null,
  out_skip     bigint      not null,                 -- masked bytes after that which are kept as well
  err_skip     bigint      not null,
  truncated    boolean     not null,
  sealed       bytea       not null,
  primary key (run_id, server_id, attempt, seq, day),
  check (last_line >= first_line - 1)
) partition by range (day);
create index on working.run_log_chunks (run_id, server_id, attempt, last_line);
create index on working.run_log_chunks (run_id, server_id, attempt, out_end);
create index on working.run_log_chunks (run_id, server_id, attempt, err_end);
create index on working.run_log_chunks (run_id, server_id, attempt, all_end);
alter table working.run_log_chunks alter column sealed set storage external;  -- nothing to compress

grant select, insert, delete on working.run_log_chunks to lethe_app;

-- Makes the tables of these days, where they are not. Attached, not created in place: that would
-- stop readers and writers.
create function working.make_run_log_days(since date, until date) returns void
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  day  date;
  name text;
begin
  if until - since > 60 then
    raise exception 'not more than 60 days at once';
  end if;
  perform pg_advisory_xact_lock('working.run_log_chunks'::regclass::bigint);
  for day in select generate_series(since, until, '1 day')::date loop
    name := 'run_log_chunks_' || to_char(day, 'YYYYMMDD');
    if to_regclass('working.' || name) is null then
      execute format('create table working.%I (like working.run_log_chunks including all)', name);
      execute format('alter table working.run_log_chunks attach partition working.%I
        for values from (%L) to (%L)', name, day, day + 1);
    end if;
  end loop;
end $$;

-- Drops the tables of the days before this one. One that is in use is left for the next time.
create function working.drop_run_log_days(before date) returns bigint
language plpgsql security definer set search_path = pg_catalog, pg_temp set lock_timeout = '2s' as $$
declare
  name    text;
  dropped bigint := 0;
begin
  perform pg_advisory_xact_lock('working.run_log_chunks'::regclass::bigint);
  for name in
    select c.relname from pg_inherits i join pg_class c on c.oid = i.inhrelid
    where i.inhparent = 'working.run_log_chunks'::regclass
      and to_date(right(c.relname, 8), 'YYYYMMDD') < before
    order by c.relname
  loop
    begin
      execute format('drop table working.%I', name);
      dropped := dropped + 1;
    exception when lock_not_available then
      null;
    end;
  end loop;
  return dropped;
end $$;

revoke all on function working.make_run_log_days(date, date) from public;
revoke all on function working.drop_run_log_days(date) from public;
grant execute on function working.make_run_log_days(date, date) to lethe_app;
grant execute on function working.drop_run_log_days(date) to lethe_app;
