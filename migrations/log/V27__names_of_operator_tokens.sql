-- A programme older than this migration does not work after it: stop its nodes first. It cannot read an account or a
-- workspace that has one of the new events.
-- What an operator's token is for: an operator's label, which names no person. Older programmes write none.
alter table working.operator_tokens add column name text;
