drop table public.planted
