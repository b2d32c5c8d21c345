select format('%I', a.attname), format_type(a.atttypid, a.atttypmod)
from pg_index i
join pg_attribute a on a.attrelid = i.indrelid and a.attnum = i.indkey[0]
where i.indrelid = to_regclass($1) and i.indisprimary
