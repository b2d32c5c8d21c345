-- The live generation, if its table is there.
select generation from readers.generations
where name = $1 and version = $2 and state = 'live'
  and to_regclass(format('read_models.%I', format('%s_v%s_g%s', name, version, generation))) is not null
