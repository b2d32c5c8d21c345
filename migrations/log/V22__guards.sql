-- What an append expects of streams that it does not write to: that they have no event after this version. `appends` are
-- the numbers of the appends that expect it; of what stands at or before `after` all is known.
create type event_log.new_guard as (appends int[], stream_id uuid, version bigint, after bigint);
