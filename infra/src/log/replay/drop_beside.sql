drop table if exists {beside}
