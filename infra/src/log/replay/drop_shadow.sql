drop table if exists {shadow}
