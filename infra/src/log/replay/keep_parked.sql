update readers.parked set replay = false where reader = $1 and version = $2 and replay
