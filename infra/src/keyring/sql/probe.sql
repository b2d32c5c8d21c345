-- To be rolled back: a key of 64 KiB that does not compress. A full disk takes a short key where a page has room for it.
insert into keyring.keys (kind, subject, class, number, wrapped, generation, created_at)
select 'subject', gen_random_uuid(), 0, 0, string_agg(uuid_send(gen_random_uuid()), ''), gen_random_uuid(), now()
from generate_series(1, 4096)
