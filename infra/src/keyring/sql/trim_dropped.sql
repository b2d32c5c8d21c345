delete from keyring.dropped where dropped_at < $1
