update keyring.last_dropped set sequence = 1;
insert into keyring.dropped (sequence, kind, subject, class, number, dropped_at)
values (1, 'subject', '00000000-0000-0000-0000-00000000000a', 2, 1, '2026-01-02T03:04:05Z');
