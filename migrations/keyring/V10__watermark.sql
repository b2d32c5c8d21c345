-- The newest event of the log that is known, outside the events' database: a log that went back, by a restore or by a
-- failover without its last events, lacks it. One row; none before a node of this version has seen an event.
create table keyring.watermark (
  only_row         boolean     primary key default true check (only_row),
  position         bigint      not null,
  event_id         uuid        not null,
  restores         bigint      not null default 0,  -- grows with each restore that a start has dealt with
  noticed_at       timestamptz,                     -- a log that went back, until a start has dealt with it
  lost_through     bigint,                          -- the newest position that was known of the log before
  restore_head     bigint,                          -- the end of the log as the first start that deals with it found it
  restored_through bigint      not null default 0   -- the end of the log as the last restore found it: no worker acts
                                                    -- outside because of an event up to here, since it may have acted
);
grant select, insert, update on keyring.watermark to lethe_app;
