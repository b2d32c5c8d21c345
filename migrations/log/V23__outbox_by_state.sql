-- Of the gauge of the outbox: it counts the first 10,000 mails of each state in the order of an index, since PostgreSQL
-- reads the whole table where it expects rows without an order to come soon.
drop index working.outbox_failed;
create index outbox_by_state on working.outbox (state, finished_at) where finished_at is not null;
