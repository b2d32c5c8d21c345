-- What an operator's token is for: an operator's label, which names no person. Older programmes write none.
alter table working.operator_tokens add column name text;
