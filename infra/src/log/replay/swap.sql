drop table {live};
alter table {beside} rename to {name}
