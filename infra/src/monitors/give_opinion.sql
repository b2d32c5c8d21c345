-- To whom has asked for it: who asks again, or has lost the server, has forgotten this one.
update working.server_monitors
set opinion = $4
where server_id = $1 and opinion_wanted_at = $2 and opinion_by = $3
