-- Above every number of the keyring, and above every file of the store: another keyring may use the same folder, and
-- a standby that was promoted may not know of the roots that were made last.
insert into keyring.roots (root_id, state, created_at) overriding system value
select greatest(coalesce(max(root_id), 0), $2) + 1, 'new', $1 from keyring.roots
