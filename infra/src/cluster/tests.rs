use crate::postgres::{ConnectOptions, connect};
use test_support::databases;

const COLUMNS: &str = "
    select format('%s.%s: %s', table_schema, table_name,
      string_agg(format('%s %s', column_name, udt_name), ', ' order by column_name))
    from information_schema.columns
    where table_schema in ('event_log', 'readers', 'working')
      and column_name in ('node', 'owner', 'fence', 'lease_until')
    group by table_schema, table_name
    having bool_or(column_name in ('node', 'lease_until'))
    order by 1";

#[tokio::test]
async fn what_a_node_holds_has_the_columns_of_a_lease() {
    let databases = databases().await.unwrap();
    let pool = connect(&databases.log_url, &ConnectOptions::app()).await.unwrap();

    let rows = pool.get().await.unwrap().query(COLUMNS, &[]).await.unwrap();

    let tables: Vec<String> = rows.iter().map(|row| row.get(0)).collect();
    let expected = [
        "readers.checkpoints: fence int8, lease_until timestamptz, node uuid",
        "readers.generations: fence int8, lease_until timestamptz, node uuid",
        "working.leader_leases: fence int8, lease_until timestamptz, node uuid",
        "working.live_nodes: node uuid",
        "working.nodes: lease_until timestamptz, node uuid",
        "working.outbox: fence int8, lease_until timestamptz, node uuid",
        "working.run_log_usage: node uuid",
        "working.run_tasks: fence int8, lease_until timestamptz, node uuid",
        "working.server_monitors: fence int8, node uuid",
    ];
    assert_eq!(tables, expected);
}
