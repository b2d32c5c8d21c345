select event_log.append_one(row(
  0, 0, u.id, 'account', u.id, 1, u.id, 'account.registered', 1, '{}', null, array[]::uuid[],
  null, null, null, null, null, u.id, null, null, 1)::event_log.new_event)
from (values ('00000000-0000-0000-0000-00000000000a'::uuid)) u (id);

insert into event_log.claims (kind, blind_index, owner)
values ('email/1', '\x01', '00000000-0000-0000-0000-00000000000a');

insert into working.turns (name, node, until)
values ('sweeper', '00000000-0000-0000-0000-00000000000a', clock_timestamp() + interval '1 day');

insert into readers.checkpoints (name, version, kind, position)
values ('mailer', 1, 'duty', 1), ('accounts', 1, 'projection', 1);
