update keyring.watermark
set position = $1, event_id = $2, restores = restores + 1, noticed_at = null, lost_through = null,
  restore_head = null
where restores = $3 and noticed_at is not null
