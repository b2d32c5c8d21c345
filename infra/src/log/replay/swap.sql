drop table {live};
alter table {shadow} rename to {name}
