//! The statements by which nodes share readers, on real PostgreSQL.

use std::time::Duration;

use test_support::{Databases, databases};
use uuid::Uuid;

use super::{LIST, RENEW, TAKE};
use crate::postgres::{ConnectOptions, Pool, connect};

const ONE: Uuid = Uuid::from_u128(1);
const TWO: Uuid = Uuid::from_u128(2);
/// The length of a lease, in seconds.
const LEASE: f64 = 600.0;

/// What a checkpoint is named for, who holds it, and the seconds until its lease ends.
const CHECKPOINTS: [(&str, Option<Uuid>, Option<f64>); 6] = [
    ("free", None, None),
    ("ones_ended", Some(ONE), Some(-1.0)),
    ("ones_live", Some(ONE), Some(300.0)),
    ("twos_ended", Some(TWO), Some(-1.0)),
    ("twos_ended_long_ago", Some(TWO), Some(-1_000.0)),
    ("twos_live", Some(TWO), Some(300.0)),
];

async fn checkpoints() -> (Databases, Pool) {
    let databases = databases().await.unwrap();
    let pool = connect(&databases.log_url, &ConnectOptions::app()).await.unwrap();
    let client = pool.get().await.unwrap();
    let insert = "insert into readers.checkpoints (name, version, kind, node, fence, lease_until)
        values ($1, 1, 'projection', $2, 7, clock_timestamp() + make_interval(secs => $3))";
    for (name, node, seconds) in CHECKPOINTS {
        client.execute(insert, &[&name, &node, &seconds]).await.unwrap();
    }
    drop(client);
    (databases, pool)
}

fn labels() -> Vec<String> {
    CHECKPOINTS.iter().map(|(name, ..)| format!("{name}/1")).collect()
}

/// Each checkpoint as the node sees it: its holder, and whether it waits for one.
async fn list(pool: &Pool, node: Uuid) -> Vec<(String, Option<Uuid>, bool)> {
    let rows = pool.get().await.unwrap().query(LIST, &[&node, &LEASE]).await.unwrap();
    rows.iter().map(|row| (row.get("label"), row.get("node"), row.get("waits"))).collect()
}

/// The checkpoints whose lease lasts for more than 400 seconds, with their node and fence.
async fn long_leases(pool: &Pool) -> Vec<(String, Uuid, i64)> {
    let sql = "select name, node, fence from readers.checkpoints
        where lease_until > clock_timestamp() + interval '400 seconds' order by name";
    let rows = pool.get().await.unwrap().query(sql, &[]).await.unwrap();
    rows.iter().map(|row| (row.get(0), row.get(1), row.get(2))).collect()
}

#[tokio::test]
async fn an_ended_lease_is_nobodys_but_this_nodes_own() {
    let (_databases, pool) = checkpoints().await;
    let row = |name: &str, node, waits| (format!("{name}/1"), node, waits);

    let expected = [
        row("free", None, false),
        row("ones_ended", Some(ONE), false),
        row("ones_live", Some(ONE), false),
        row("twos_ended", None, false),
        row("twos_ended_long_ago", None, true),
        row("twos_live", Some(TWO), false),
    ];
    assert_eq!(list(&pool, ONE).await, expected);

    let expected = [
        row("free", None, false),
        row("ones_ended", None, false),
        row("ones_live", Some(ONE), false),
        row("twos_ended", Some(TWO), false),
        row("twos_ended_long_ago", Some(TWO), true),
        row("twos_live", Some(TWO), false),
    ];
    assert_eq!(list(&pool, TWO).await, expected);
}

#[tokio::test]
async fn a_node_takes_what_is_free_or_its_own_under_a_higher_fence() {
    let (_databases, pool) = checkpoints().await;

    let client = pool.get().await.unwrap();
    let rows = client.query(TAKE, &[&ONE, &labels(), &LEASE]).await.unwrap();

    let mut taken: Vec<(String, i64)> =
        rows.iter().map(|row| (row.get("label"), row.get("fence"))).collect();
    taken.sort();
    let expected = ["free", "ones_ended", "ones_live", "twos_ended", "twos_ended_long_ago"];
    assert_eq!(taken, expected.map(|name| (format!("{name}/1"), 8)));
    assert_eq!(long_leases(&pool).await, expected.map(|name| (name.to_owned(), ONE, 8)));
    assert_eq!(list(&pool, ONE).await[5], ("twos_live/1".to_owned(), Some(TWO), false));
}

#[tokio::test]
async fn a_renewal_passes_over_a_row_that_is_locked_and_those_of_other_nodes() {
    let (databases, pool) = checkpoints().await;
    let mut holder = pool.get().await.unwrap();
    let locking = holder.transaction().await.unwrap();
    let lock = "select from readers.checkpoints where name = 'ones_live' for update";
    assert_eq!(locking.query(lock, &[]).await.unwrap().len(), 1);
    let lock_timeout = Duration::from_secs(1);
    let options = ConnectOptions { lock_timeout, ..ConnectOptions::app() };
    let hurried = connect(&databases.log_url, &options).await.unwrap();
    let renew = async || {
        let client = hurried.get().await.unwrap();
        client.execute(RENEW, &[&ONE, &labels(), &LEASE]).await.unwrap()
    };

    assert_eq!(renew().await, 1);
    assert_eq!(long_leases(&pool).await, [("ones_ended".to_owned(), ONE, 7)]);

    locking.rollback().await.unwrap();
    assert_eq!(renew().await, 2);
}

#[tokio::test]
async fn a_renewal_releases_what_the_node_holds_and_does_not_run() {
    let (_databases, pool) = checkpoints().await;

    let client = pool.get().await.unwrap();
    client.execute(RENEW, &[&ONE, &vec!["ones_live/1"], &LEASE]).await.unwrap();

    assert_eq!(long_leases(&pool).await, [("ones_live".to_owned(), ONE, 7)]);
    let seen = list(&pool, ONE).await;
    assert_eq!(seen[1], ("ones_ended/1".to_owned(), None, false));
    assert_eq!(seen[5], ("twos_live/1".to_owned(), Some(TWO), false));
}

/// The server that failed had a clock that ran ahead.
#[tokio::test]
async fn a_lease_that_ends_far_later_than_its_length_is_nobodys() {
    let (_databases, pool) = checkpoints().await;
    let client = pool.get().await.unwrap();
    let ahead = "update readers.checkpoints
        set lease_until = clock_timestamp() + interval '1 day' where name = 'twos_live'";
    client.execute(ahead, &[]).await.unwrap();

    assert_eq!(list(&pool, ONE).await[5], ("twos_live/1".to_owned(), None, false));
    let taken = client.query(TAKE, &[&ONE, &vec!["twos_live/1"], &LEASE]).await.unwrap();
    assert_eq!(taken.len(), 1);
}
