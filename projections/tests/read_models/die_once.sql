create sequence public.deaths;
grant all on public.deaths to lethe_app;
create function public.die_once() returns trigger language plpgsql security definer as $$
begin
  if nextval('public.deaths') = 1 then
    perform pg_terminate_backend(pg_backend_pid());
  end if;
  return null;
end $$;
create trigger die_once after insert on read_models.tally_v1_g1 for each statement execute function public.die_once()
