insert into public.planted select said, convert_to(said, 'UTF8') from unnest($1::text[]) said
