-- Where nodes and replays have their leases: before V38 and V11 of the log in other tables; none before V2.
select coalesce(to_regclass('working.nodes'), to_regclass('readers.nodes'))::text,
  coalesce(to_regclass('readers.generations'), to_regclass('readers.replays'))::text
