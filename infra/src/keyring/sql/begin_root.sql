insert into keyring.roots (state, created_at) values ('new', $1)
