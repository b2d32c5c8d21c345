-- Of a key that belongs to nobody: the index that has the live ones only is used for no other.
select number from keyring.keys
where kind = $1 and subject = $2 and class = $3 and wrapped is not null and kind <> 'subject' and number < $4
order by number
