-- Counts, beyond any roll-back, the advances that move nothing.
create sequence public.refused;
grant all on public.refused to lethe_app;
create function public.count_refused() returns trigger language plpgsql as $$
begin
  if current_query() like '%set position%' and not exists (select from moved) then
    perform nextval('public.refused');
  end if;
  return null;
end $$;
create trigger count_refused after update on readers.checkpoints
referencing new table as moved for each statement execute function public.count_refused();
update readers.checkpoints
set node = '00000000-0000-0000-0000-000000000009', fence = fence + 1, lease_until = now() + interval '1 hour'
where name = 'tally'
