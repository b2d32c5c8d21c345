-- A start before this one may have begun, and appended since: what it found stays. Unless the log went back once more.
update keyring.watermark
set restore_head = least(restore_head, $1), restored_through = least(restore_head, $1)
where noticed_at is not null
returning restore_head
