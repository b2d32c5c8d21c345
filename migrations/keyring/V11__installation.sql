-- Whether a log has the id of this keyring (column keyring) in event_log.installation: a log without it is another one, or
-- an empty one in the place of one that is lost.
alter table keyring.copy add column has_log boolean not null default false;
