//! A stream is read from the partitions that it stands in, and from its snapshot while the log has its event.

use std::sync::Arc;

use domain::TenantId;
use domain::account::Account;
use uuid::Uuid;

use super::super::Loaded;
use super::super::load::snapshot::Snapshot;
use super::super::load::streams::{Freshness, LOAD, LOAD_AFTER, Streams};
use super::snapshots::{STREAM, TENANT, change_passwords, register, snapshot_every};
use super::{databases, node, owner, pool};
use crate::postgres::{ConnectOptions, Pool, connect};

/// A long stream and a few short ones, which the statistics of the tables know.
const LONG_AND_SHORT: &str = "
    insert into event_log.events (position, tenant_id, stream_type, stream_id, version, event_id,
      event_type, schema_version, data, subjects, recorded_at)
    select n, t, 'account', case when n <= 3000 then s else gen_random_uuid() end,
      case when n <= 3000 then n else 1 end, gen_random_uuid(), 'account.email_verified', 1, '{}', '{}', now()
    from generate_series(1, 3003) n, (values ($1::uuid, $2::uuid)) of (t, s)";
const PLANS: &str = "select sum(custom_plans)::bigint, sum(generic_plans)::bigint
    from pg_prepared_statements where statement = any ($1)";

async fn read(streams: &Streams) -> Loaded<Account> {
    streams.load::<Account>(TENANT, STREAM, Freshness::Fresh).await.unwrap().loaded
}

/// By a node that has nothing in its cache, and writes no snapshot of its own.
async fn load(pool: &Pool) -> Loaded<Account> {
    read(&snapshot_every(pool, i64::MAX)).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_is_read_from_all_partitions_that_it_stands_in() {
    let databases = databases().await;
    let client = owner(&databases.log_url).await;
    let small = "drop table event_log.events_1;
        select event_log.create_partition(1 + n * 50, 50 + n * 50) from generate_series(0, 2) n";
    client.batch_execute(small).await.unwrap();
    let (node, pool) = (node(&databases.log_url).await, pool(&databases.log_url).await);
    register(&node).await;
    change_passwords(&node, 2..=60).await;
    let reader = snapshot_every(&pool, i64::MAX);
    let at_60 = read(&reader).await;
    change_passwords(&node, 61..=110).await;
    let at_110 = load(&pool).await;
    change_passwords(&node, 111..=120).await;
    let old = "create or replace function event_log.recent_from() returns bigint
            language sql stable as 'select 101::bigint'";
    client.batch_execute(old).await.unwrap();

    let whole = load(&pool).await;
    assert_eq!((at_60.position, at_110.position, whole.position), (60, 110, 120));
    let read_on = read(&reader).await;
    assert_eq!((read_on.version, &read_on.state), (120, &whole.state));
    another_tenant_reads_nothing(&pool).await;
    for snapshot in [at_60, at_110] {
        Snapshot::of(TENANT, STREAM, &snapshot).write(&pool).await.unwrap();
        let loaded = load(&pool).await;
        assert_eq!((loaded.version, loaded.position, &loaded.state), (120, 120, &whole.state));
        another_tenant_reads_nothing(&pool).await;
        // Only whoever begins with the snapshot has this state.
        client.batch_execute("delete from event_log.snapshots").await.unwrap();
        let state = Arc::new(Account::Ended { backup_proven: true });
        let marked = Loaded { state: Arc::clone(&state), ..snapshot };
        Snapshot::of(TENANT, STREAM, &marked).write(&pool).await.unwrap();
        assert_eq!(load(&pool).await.state, state);
        client.batch_execute("delete from event_log.snapshots").await.unwrap();
    }
}

async fn another_tenant_reads_nothing(pool: &Pool) {
    let other = TenantId(Uuid::from_u128(2));
    let reader = snapshot_every(pool, i64::MAX);
    let loaded = reader.load::<Account>(other, STREAM, Freshness::Fresh).await.unwrap().loaded;
    assert_eq!((loaded.version, &*loaded.state), (0, &Account::Absent));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_snapshot_counts_only_while_the_log_has_its_event() {
    let databases = databases().await;
    let (node, pool) = (node(&databases.log_url).await, pool(&databases.log_url).await);
    register(&node).await;
    change_passwords(&node, 2..=9).await;
    let whole = load(&pool).await;
    let marked = Account::Ended { backup_proven: true };
    let marked = Loaded { state: Arc::new(marked), version: 5, position: 5 };
    let client = owner(&databases.log_url).await;

    let elsewhere =
        ["position = 4", "position = 40", "version = 4", "version = 40", "position = null"];
    for wrong in elsewhere {
        client.batch_execute("delete from event_log.snapshots").await.unwrap();
        Snapshot::of(TENANT, STREAM, &marked).write(&pool).await.unwrap();
        let set = format!("update event_log.snapshots set {wrong}");
        client.batch_execute(&set).await.unwrap();
        let loaded = load(&pool).await;
        assert_eq!((loaded.version, &loaded.state), (9, &whole.state), "{wrong}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_snapshot_of_an_older_programme_is_replaced_by_one_of_the_same_version() {
    let databases = databases().await;
    let (node, pool) = (node(&databases.log_url).await, pool(&databases.log_url).await);
    register(&node).await;
    let loaded = load(&pool).await;
    Snapshot::of(TENANT, STREAM, &loaded).write(&pool).await.unwrap();
    let client = owner(&databases.log_url).await;
    client.batch_execute("update event_log.snapshots set position = null").await.unwrap();

    Snapshot::of(TENANT, STREAM, &loaded).write(&pool).await.unwrap();

    let position = "select position from event_log.snapshots";
    assert_eq!(client.query_one(position, &[]).await.unwrap().get::<_, Option<i64>>(0), Some(1));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_statements_of_a_load_are_planned_once_and_not_for_each_stream() {
    let databases = databases().await;
    let client = owner(&databases.log_url).await;
    client.execute(LONG_AND_SHORT, &[&TENANT.0, &STREAM]).await.unwrap();
    client.batch_execute("analyze").await.unwrap();
    let options = ConnectOptions { connections_max: 1, ..ConnectOptions::app() };
    let pool = connect(&databases.log_url, &options).await.unwrap();
    let client = pool.get().await.unwrap();
    let load = client.prepare_cached(LOAD).await.unwrap();
    let after = client.prepare_cached(LOAD_AFTER).await.unwrap();

    // PostgreSQL plans five times with the values, and compares what that has cost it.
    for stream in [Uuid::nil(), STREAM] {
        for _ in 0..10 {
            let whole = client.query(&load, &[&stream, &TENANT.0, &"account", &1_i16]).await;
            let rest =
                [&stream as _, &TENANT.0 as _, &"account" as _, &2990_i64 as _, &2990_i64 as _];
            let rest = client.query(&after, &rest).await.unwrap();
            let is_long = usize::from(stream == STREAM);
            assert_eq!((whole.unwrap().len(), rest.len()), (3001 * is_long, 10 * is_long));
        }
    }

    let plans = client.query_one(PLANS, &[&[LOAD, LOAD_AFTER].as_slice()]).await.unwrap();
    assert_eq!((plans.get::<_, i64>(0), plans.get::<_, i64>(1)), (10, 30));
    // The plan that serves all does not read the log from a position on.
    let prepare = format!(
        "prepare after (uuid, uuid, text, bigint, bigint) as {LOAD_AFTER};
        set plan_cache_mode = force_generic_plan"
    );
    client.batch_execute(&prepare).await.unwrap();
    let explain = format!("explain execute after ('{STREAM}', '{STREAM}', 'account', 2990, 2990)");
    let plan = client.query(&explain, &[]).await.unwrap();
    let plan: Vec<String> = plan.iter().map(|row| row.get(0)).collect();
    let plan = plan.join("\n");
    assert!(plan.contains("events_1_stream_id_version_idx"), "{plan}");
}
