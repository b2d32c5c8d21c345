-- Names, types and order; null for one that is not there.
with columns as (
  select attrelid, array_agg(row (attname, atttypid, atttypmod, attcollation)::text order by attnum) as of_it
  from pg_attribute
  where attrelid in (to_regclass($1), to_regclass($2)) and attnum > 0 and not attisdropped
  group by attrelid)
select count(distinct of_it) <= 1 from columns
