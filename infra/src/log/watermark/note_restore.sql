-- Position 0: what the log was is not known. A row that is there says what was known at least; it stays as it is where
-- the log of these nodes is not touched ($1 is false), since their start compares the two.
with noted as (select from keyring.watermark where noticed_at is not null)
insert into keyring.watermark as w (position, event_id, noticed_at, lost_through)
values (0, '00000000-0000-0000-0000-000000000000', clock_timestamp(), 0)
on conflict (only_row) do update
set noticed_at = coalesce(w.noticed_at, excluded.noticed_at), lost_through = greatest(w.lost_through, w.position)
where $1
returning noticed_at, exists (select from noted) as was_noted
