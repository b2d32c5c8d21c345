select (event_log.append_one(row(
  0, max(version), $1::uuid, 'workspace', $1::uuid, max(version) + 1, $2::uuid, 'workspace.member_joined', 1,
  $3::text::json, null, array[$1::uuid], null, null, null, null, null, $2::uuid, null, null, 1)::event_log.new_event)).at
from event_log.events
where stream_id = $1::uuid
