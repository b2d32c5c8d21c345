-- Those whose tables the reader writes, the live one first.
select generation, state = 'live'
from readers.generations
where name = $1 and version = $2 and state in ('live', 'joined', 'kept')
order by state <> 'live', generation
