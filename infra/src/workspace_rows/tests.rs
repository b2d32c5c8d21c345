//! What a batch of a workspace's rows costs, as the tables grow.

use test_support::databases;
use tokio_postgres::Client;

use super::*;
use crate::postgres::{ConnectOptions, connect, connect_one};
use crate::{event_store, run_log, run_queue};

const GONE: Uuid = Uuid::from_u128(1);
const OTHER: Uuid = Uuid::from_u128(2);
const FILL: &str = include_str!("fill.sql");
/// What a batch reads at most: its rows, and each once more to delete it.
const BATCH: i64 = 1000;

const BATCHED: [WorkspaceRows; 5] = [
    run_queue::OF_WORKSPACE,
    run_queue::SECRETS_OF_WORKSPACE,
    run_queue::LEFTOVERS_OF_WORKSPACE,
    run_log::OF_WORKSPACE,
    event_store::SNAPSHOTS_OF_WORKSPACE,
];

async fn filled(admin: &Client, workspace: Uuid, rows: i64) {
    let fill = FILL.replace("$1", &format!("'{workspace}'")).replace("$2", &rows.to_string());
    admin.batch_execute(&fill).await.unwrap();
}

async fn left(admin: &Client, table: &str) -> i64 {
    let count = format!("select count(*) from {table}");
    admin.query_one(&count, &[]).await.unwrap().get(0)
}

/// How many rows of all tables the first batch reads.
async fn read_by_first_batch(admin: &Client, rows: WorkspaceRows) -> i64 {
    let (DeleteRows::InBatches(statement) | DeleteRows::ByOthers(statement)) = rows.delete else {
        panic!("not in batches")
    };
    let read = "select sum(seq_tup_read + coalesce(idx_tup_fetch, 0))::bigint \
        from pg_stat_xact_user_tables where schemaname in ('working', 'event_log')";
    admin.batch_execute("begin").await.unwrap();
    admin.batch_execute(BY_INDEX).await.unwrap();
    let before: i64 = admin.query_one(read, &[]).await.unwrap().get(0);
    admin.query_one(statement, &[&GONE, &Uuid::nil()]).await.unwrap();
    let after: i64 = admin.query_one(read, &[]).await.unwrap().get(0);
    admin.batch_execute("rollback").await.unwrap();
    after - before
}

#[tokio::test]
async fn a_batch_reads_its_rows_and_no_others() {
    let databases = databases().await.unwrap();
    let admin = connect_one(&databases.log_url, &ConnectOptions::default()).await.unwrap();
    filled(&admin, GONE, 1_500).await;
    let mut few = Vec::new();
    for rows in BATCHED {
        few.push(read_by_first_batch(&admin, rows).await);
    }

    filled(&admin, OTHER, 20_000).await;
    filled(&admin, GONE, 5_000).await;

    for (rows, few) in BATCHED.into_iter().zip(few) {
        let many = read_by_first_batch(&admin, rows).await;
        assert!(few >= BATCH, "{}: {few}: the count does not see the batch", rows.table);
        assert!(many <= few + 50, "{}: {few} rows of few, {many} of many", rows.table);
    }
}

#[tokio::test]
async fn batches_delete_what_the_workspace_has_and_nothing_of_others() {
    let databases = databases().await.unwrap();
    let admin = connect_one(&databases.log_url, &ConnectOptions::default()).await.unwrap();
    filled(&admin, GONE, 2_500).await;
    filled(&admin, OTHER, 10).await;
    let pool = connect(&databases.log_url, &ConnectOptions::app()).await.unwrap();

    for rows in BATCHED {
        let mut through = DeletedThrough::default();
        let mut turn =
            async |batches| rows.delete(&pool, GONE, &mut through, batches).await.unwrap();
        assert_eq!(turn(1).await, Deleted::Some, "{}", rows.table);
        assert_eq!(left(&admin, rows.table).await, 1_510, "{}", rows.table);
        assert_eq!(turn(1).await, Deleted::Some, "{}", rows.table);
        assert_eq!(left(&admin, rows.table).await, 510, "{}", rows.table);
        assert_eq!(turn(2).await, Deleted::All, "{}", rows.table);
        assert_eq!(left(&admin, rows.table).await, 10, "{}", rows.table);
    }
}
