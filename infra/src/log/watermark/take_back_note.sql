-- Of position 0 is the row that the note has made.
with made as (
  delete from keyring.watermark where noticed_at = $1 and restore_head is null and position = 0)
update keyring.watermark set noticed_at = null, lost_through = null
where noticed_at = $1 and restore_head is null and position > 0
