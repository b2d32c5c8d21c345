update {table} t set ({columns}) = row({new})
from unnest({arrays}) as u ({columns})
where t.{key} = u.{key}
