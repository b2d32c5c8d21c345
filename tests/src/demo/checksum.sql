select count(*), md5(coalesce(string_agg(of::text, e'\n' order by of::text), ''))
from read_models.{table} of
