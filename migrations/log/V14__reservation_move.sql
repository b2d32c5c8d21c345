-- How far the reservations have moved to the next key of the e-mail index: one row, of the last rotation. It is written in
-- the commit of the reservations it speaks of, so that a restored log does not claim more than it has.
create table event_log.reservation_move (
  one      boolean primary key default true check (one),
  kind_old text    not null,
  kind_new text    not null,
  through  bytea   not null,                  -- every reservation of kind_old up to this index is moved
  complete boolean not null
);
grant select on event_log.reservation_move to lethe_app, lethe_retention;
