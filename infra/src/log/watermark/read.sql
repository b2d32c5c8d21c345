select position, event_id, restores, noticed_at, lost_through, restored_through from keyring.watermark
