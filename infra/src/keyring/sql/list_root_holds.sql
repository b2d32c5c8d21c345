-- Each root that wraps nothing any more: until when it is kept, and which copies of the database have not flushed
-- what says so.
select r.root_id, r.copied, h.until, h.until > clock_timestamp() as is_retained,
  h.until < clock_timestamp() - interval '10 minutes' as is_overdue, s.name, s.visible
from keyring.roots r
cross join lateral (select r.rewrapped_at + make_interval(secs => $1) as until) h
left join keyring.standbys() s on s.flushed is null or s.flushed < r.rewrapped_lsn
where r.state = 'retiring' and r.rewrapped_at is not null
order by r.root_id, s.name
