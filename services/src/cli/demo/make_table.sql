create table public.planted (said text, bytes bytea)
