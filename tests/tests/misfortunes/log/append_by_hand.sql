select at from event_log.append_one(row(
  0, 0, '00000000-0000-0000-0000-000000000001', 'hand', $1::uuid, 1, $3::uuid,
  'hand.wrote', 1, '{}', null, '{}', null, null, null, null, null, $2::uuid, null, null, 1)::event_log.new_event)
