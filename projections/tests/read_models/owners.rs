//! Which node owns a reader, and what an owner that was replaced may still do.

use std::collections::BTreeSet;
use std::time::Duration;

use chrono::{DateTime, Utc};

use crate::harness::{LogHarness, options, start};
use crate::readers::{add, letters, tally};
use crate::tally::{ACTS, Act, Tally};
use infra::log::{Reader, ReaderOptions, status};
use infra::postgres::{ConnectOptions, connect, connect_one};
use projections::audit_trail::AuditTrail;
use test_support::until;
use uuid::Uuid;

const REPLACE_OWNER: &str = include_str!("replace_owner.sql");

fn both() -> Vec<Reader> {
    let mut both = projections::all();
    both.extend(tally());
    both
}

async fn owners(harness: &LogHarness) -> Vec<Option<Uuid>> {
    status(&harness.pool).await.unwrap().iter().map(|status| status.node).collect()
}

async fn owned_by(harness: &LogHarness, node: Uuid) -> usize {
    owners(harness).await.into_iter().filter(|owner| *owner == Some(node)).count()
}

#[tokio::test]
async fn two_nodes_share_the_readers_and_one_that_leaves_gives_its_own_up() {
    let harness = LogHarness::new().await;
    let (one, two) = (Uuid::from_u128(1), Uuid::from_u128(2));
    let first = harness.read_as(options(one), both()).await;
    let all = both().len();
    until("the first node owns all", async || owned_by(&harness, one).await == all).await;

    let second = harness.read_as(options(two), both()).await;

    let (fewer, more) = (all / 2, all.div_ceil(2));
    let shares = BTreeSet::from([fewer, more]);
    until("each node owns its share", async || {
        let owned = [owned_by(&harness, one).await, owned_by(&harness, two).await];
        owned.iter().sum::<usize>() == all && owned.iter().all(|count| shares.contains(count))
    })
    .await;
    add(&harness, Uuid::from_u128(0xa9), "abc").await;
    harness.caught_up(&["accounts", "sessions", "audit_trail", "tally"]).await;
    first.stop().await;
    until("the second node owns all", async || owned_by(&harness, two).await == all).await;
    second.stop().await;
    let left: BTreeSet<_> = owners(&harness).await.into_iter().collect();
    assert_eq!(left, BTreeSet::from([None]));
}

/// What is leased for longer than five seconds from now on.
const LONGER_LEASES: &str = "select
    (select count(*) from readers.checkpoints
        where lease_until > clock_timestamp() + interval '5 seconds')
    + (select count(*) from working.nodes
        where lease_until > clock_timestamp() + interval '5 seconds')";

#[test]
fn a_node_that_dies_is_replaced_within_seconds() {
    let runtime = || tokio::runtime::Runtime::new().unwrap();
    let (dying, living) = (runtime(), runtime());
    let harness = living.block_on(LogHarness::new());
    let (one, two) = (Uuid::from_u128(1), Uuid::from_u128(2));
    let stream = Uuid::from_u128(0xaa);
    let url = harness.databases.log_url.clone();
    let held = dying.block_on(async {
        let pool = connect(&url, &ConnectOptions::app()).await.unwrap();
        let lease = ReaderOptions::of(one).lease;
        start(pool, ReaderOptions { lease, ..options(one) }, tally()).await
    });
    living.block_on(async {
        add(&harness, stream, "ab").await;
        harness.caught_up(&["tally"]).await;
        until("its reader is leased", async || owned_by(&harness, one).await == 1).await;
        let live = "select count(*) from working.live_nodes";
        until("it is leased itself", async || harness.count(live).await == 1).await;
        assert_eq!(harness.count(LONGER_LEASES).await, 0);
    });

    dying.shutdown_background();

    living.block_on(async {
        let readers = harness.read_as(options(two), tally()).await;
        add(&harness, stream, "cd").await;
        harness.caught_up(&["tally"]).await;
        assert_eq!(owned_by(&harness, two).await, 1);
        assert_eq!(letters(&harness, "tally", stream).await.as_deref(), Some("abcd"));
        readers.stop().await;
    });
    drop(held);
}

#[tokio::test]
async fn a_node_keeps_its_readers_while_one_that_it_gives_up_does_not_end() {
    let harness = LogHarness::new().await;
    harness.admin.batch_execute(ACTS).await.unwrap();
    let both = || vec![Reader::projection::<Tally>(), Reader::worker(Act)];
    let lease = Duration::from_secs(30);
    let of = |node| ReaderOptions { lease, ..options(Uuid::from_u128(node)) };
    let unlimited = ConnectOptions::unlimited();
    let patient = ConnectOptions { role: ConnectOptions::app().role, ..unlimited.clone() };
    let pool = connect(&harness.databases.log_url, &patient).await.unwrap();
    let one = start(pool, of(1), both()).await;
    let stream = Uuid::from_u128(0xaf);
    add(&harness, stream, "a").await;
    harness.caught_up(&["act", "tally"]).await;
    let holder = connect_one(&harness.databases.log_url, &unlimited).await.unwrap();
    holder.batch_execute("begin; lock table read_models.tally, read_models.acts").await.unwrap();
    let admin = &harness.admin;
    let append = "insert into event_log.events (position, tenant_id, stream_type, stream_id, version,
          event_id, event_type, schema_version, data, subjects, recorded_at)
        select 2, tenant_id, stream_type, stream_id, 2, gen_random_uuid(), event_type, 1, data, subjects,
          recorded_at from event_log.events";
    admin.batch_execute(append).await.unwrap();
    let heartbeat = async |node: u128| -> Option<DateTime<Utc>> {
        let sql = "select lease_until from working.nodes where node = $1";
        let row = admin.query_opt(sql, &[&Uuid::from_u128(node)]).await.unwrap();
        row.map(|row| row.get(0))
    };
    until("both readers wait for the lock", async || {
        let waits = "select count(*) from pg_locks l join pg_database d on d.oid = l.database
            where not l.granted and d.datname = current_database()";
        let row = admin.query_one(waits, &[]).await.unwrap();
        row.get::<_, i64>(0) == 2
    })
    .await;

    let mut last = heartbeat(1).await;

    let two = harness.read_as(of(2), both()).await;

    // At the first or the second it gives one up, the third comes before the end of that one's time.
    for _ in 0..3 {
        let next = async || heartbeat(1).await.filter(|it| Some(*it) > last);
        last = Some(until("the node lives", next).await);
    }
    let owners = status(&harness.pool).await.unwrap();
    let owners: Vec<_> = owners.iter().map(|reader| (reader.node, reader.fence)).collect();
    assert_eq!(owners, [(Some(Uuid::from_u128(1)), 1); 2]);
    holder.batch_execute("rollback").await.unwrap();
    until("each has one", async || owned_by(&harness, Uuid::from_u128(2)).await == 1).await;
    two.stop().await;
    one.stop().await;
}

#[tokio::test]
async fn an_owner_that_was_replaced_writes_nothing_more() {
    let harness = LogHarness::new().await;
    // As long as the other's: a much longer one is taken for one of a clock that ran ahead.
    let one = ReaderOptions { lease: Duration::from_hours(1), ..options(Uuid::from_u128(1)) };
    let readers = harness
        .read_as(one, vec![Reader::projection::<Tally>(), Reader::projection::<AuditTrail>()])
        .await;
    let stream = Uuid::from_u128(0xab);
    add(&harness, stream, "ab").await;
    harness.caught_up(&["tally", "audit_trail"]).await;

    harness.admin.batch_execute(REPLACE_OWNER).await.unwrap();
    add(&harness, stream, "cd").await;

    harness.caught_up(&["audit_trail"]).await;
    until("the transaction was refused", async || {
        harness.count("select is_called::int::bigint from public.refused").await > 0
    })
    .await;
    assert_eq!(letters(&harness, "tally", stream).await.as_deref(), Some("ab"));
    readers.stop().await;
}

#[tokio::test]
async fn an_owner_whose_fence_is_out_of_date_moves_nothing() {
    let harness = LogHarness::new().await;
    let one = ReaderOptions { lease: Duration::from_mins(1), ..options(Uuid::from_u128(1)) };
    let readers = harness.read_as(one, tally()).await;
    let stream = Uuid::from_u128(0xae);
    add(&harness, stream, "ab").await;
    harness.caught_up(&["tally"]).await;

    // The same node has taken the reader again: only the fence tells its two lives apart.
    let (count_refused, _) = REPLACE_OWNER.rsplit_once("update readers.checkpoints").unwrap();
    harness.admin.batch_execute(count_refused).await.unwrap();
    let taken_again = "update readers.checkpoints set fence = fence + 1 where name = 'tally'";
    harness.admin.batch_execute(taken_again).await.unwrap();
    add(&harness, stream, "cd").await;

    until("the transaction was refused", async || {
        harness.count("select is_called::int::bigint from public.refused").await > 0
    })
    .await;
    readers.stop().await;
}
