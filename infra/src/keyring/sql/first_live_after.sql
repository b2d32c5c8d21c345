select coalesce(min(number) filter (where wrapped is not null), max(number) + 1, $4::bigint + 1) as number
from keyring.keys
where kind = $1 and subject = $2 and class = $3 and number > $4
