//! When a snapshot is written, and when none is.

use std::sync::Arc;

use domain::TenantId;
use domain::account::Account;
use tokio_postgres::Client;
use uuid::Uuid;

use super::super::executor::FENCE;
use super::super::load::snapshot::Snapshot;
use super::super::load::streams::{Freshness, Streams};
use super::super::{ExecutorConfig, Loaded};
use super::snapshots::{STREAM, TENANT, change_passwords, register, registered, streams};
use super::{databases, node, owner, pool};
use crate::postgres::{ConnectOptions, connect};

/// How many events a load reads before it has a snapshot written.
const EVENTS: i64 = 25;

async fn load(streams: &Streams) -> Loaded<Account> {
    streams.load::<Account>(TENANT, STREAM, Freshness::Fresh).await.unwrap().loaded
}

async fn version(client: &Client) -> Option<i64> {
    let version = "select version from event_log.snapshots where stream_id = $1";
    client.query_opt(version, &[&STREAM]).await.unwrap().map(|row| row.get(0))
}

/// Has the snapshot of another stream written: what was due before is written then.
async fn all_are_written(streams: &Streams, client: &Client) {
    let of = (TenantId(Uuid::from_u128(50)), Uuid::from_u128(51));
    let state = Arc::new(Account::Ended { backup_proven: true });
    let other = Loaded { state, version: 1, position: 1 };
    streams.snapshots.take_after_load(of, &other, i64::MAX, false);
    let there = "delete from event_log.snapshots where stream_id = $1 returning version";
    test_support::until("another snapshot is written", async || {
        client.query_opt(there, &[&of.1]).await.unwrap()
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_load_that_reads_25_events_besides_the_snapshot_has_one_written() {
    assert_eq!(ExecutorConfig::default().snapshot_events, EVENTS);
    let databases = databases().await;
    let (node, pool) = (node(&databases.log_url).await, pool(&databases.log_url).await);
    let client = owner(&databases.log_url).await;
    register(&node).await;
    change_passwords(&node, 2..=EVENTS - 1).await;
    for (read, written) in [(24, None), (25, Some(25)), (49, Some(25)), (50, Some(50))] {
        if read % EVENTS == 0 {
            change_passwords(&node, read..=read).await;
        } else if read > EVENTS {
            change_passwords(&node, EVENTS + 1..=read).await;
        }
        // Each by a node that has nothing in its cache.
        let streams = streams(&pool);

        assert_eq!(load(&streams).await.version, read);

        all_are_written(&streams, &client).await;
        assert_eq!(version(&client).await, written, "after {read} events");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_that_stays_in_memory_has_one_written_after_1000_appended_events() {
    let databases = databases().await;
    let pool = pool(&databases.log_url).await;
    let client = owner(&databases.log_url).await;
    let streams = streams(&pool);
    for (at, written) in [(999, None), (1000, Some(1000)), (1001, Some(1000)), (1999, Some(1000))] {
        let state = Arc::new(Account::Ended { backup_proven: false });
        let appended = Loaded { state, version: at, position: at };

        streams.snapshots.take_after_append((TENANT, STREAM), &appended, 1);

        all_are_written(&streams, &client).await;
        assert_eq!(version(&client).await, written, "at version {at}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn of_an_erased_subject_no_snapshot_is_written() {
    for subject in [STREAM, TENANT.0] {
        let databases = databases().await;
        let (node, pool) = (node(&databases.log_url).await, pool(&databases.log_url).await);
        let client = owner(&databases.log_url).await;
        register(&node).await;
        change_passwords(&node, 2..=EVENTS).await;
        let before = streams(&pool);
        let loaded = load(&before).await;
        all_are_written(&before, &client).await;
        assert_eq!(version(&client).await, Some(EVENTS));

        let closing: [&str; 0] = [];
        client.query_one(FENCE, &[&subject, &closing.as_slice()]).await.unwrap();
        client.execute("delete from event_log.snapshots", &[]).await.unwrap();

        // What was loaded before it, and what is loaded for the end of the erasure.
        Snapshot::of(TENANT, STREAM, &loaded).write(&pool).await.unwrap();
        let after = streams(&pool);
        load(&after).await;
        all_are_written(&after, &client).await;
        assert_eq!(version(&client).await, None, "{subject} is erased");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_snapshot_that_is_lost_is_read_around_and_written_again() {
    let databases = databases().await;
    let (node, pool) = (node(&databases.log_url).await, pool(&databases.log_url).await);
    let client = owner(&databases.log_url).await;
    register(&node).await;
    change_passwords(&node, 2..=40).await;
    let first = streams(&pool);
    let loaded = load(&first).await;
    all_are_written(&first, &client).await;
    assert_eq!(version(&client).await, Some(40));

    client.execute("delete from event_log.snapshots", &[]).await.unwrap();

    let second = streams(&pool);
    let again = load(&second).await;
    assert_eq!((again.version, &again.state), (loaded.version, &loaded.state));
    all_are_written(&second, &client).await;
    assert_eq!(version(&client).await, Some(40));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_snapshot_that_cannot_be_used_is_replaced() {
    let databases = databases().await;
    let (node, pool) = (node(&databases.log_url).await, pool(&databases.log_url).await);
    let client = owner(&databases.log_url).await;
    register(&node).await;
    let streams = || streams(&pool);
    let whole = load(&streams()).await;
    for wrong in [r#"state = '{"live":7}'"#, "version = 40", "position = 40"] {
        Snapshot::of(TENANT, STREAM, &whole).write(&pool).await.unwrap();
        let set = format!("update event_log.snapshots set {wrong}");
        client.batch_execute(&set).await.unwrap();
        let reader = streams();

        assert_eq!(load(&reader).await.state, whole.state, "{wrong}");

        all_are_written(&reader, &client).await;
        let kept = "select version, position, state::text from event_log.snapshots";
        let kept = client.query_one(kept, &[]).await.unwrap();
        let state: Account = serde_json::from_str(kept.get(2)).unwrap();
        assert_eq!((kept.get(0), kept.get(1), &state), (1_i64, 1_i64, &*whole.state), "{wrong}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn another_tenant_replaces_no_snapshot() {
    let databases = databases().await;
    let (node, pool) = (node(&databases.log_url).await, pool(&databases.log_url).await);
    let client = owner(&databases.log_url).await;
    register(&node).await;
    change_passwords(&node, 2..=EVENTS).await;
    let mine = streams(&pool);
    load(&mine).await;
    all_are_written(&mine, &client).await;

    let other = streams(&pool);
    let loaded = other
        .load::<Account>(TenantId(Uuid::from_u128(2)), STREAM, Freshness::Fresh)
        .await
        .unwrap()
        .loaded;

    assert_eq!(loaded.version, 0);
    all_are_written(&other, &client).await;
    assert_eq!(version(&client).await, Some(EVENTS));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_state_of_more_than_a_mebibyte_has_no_snapshot() {
    let databases = databases().await;
    let pool = pool(&databases.log_url).await;
    let client = owner(&databases.log_url).await;
    // In base64.
    for (bytes, written) in [(750_000, Some(7)), (800_000, None)] {
        client.execute("delete from event_log.snapshots", &[]).await.unwrap();
        let mut state = Account::default();
        cqrs_es::Aggregate::apply(&mut state, registered(vec![0; bytes]));
        let large = Loaded { state: Arc::new(state), version: 7, position: 7 };

        Snapshot::of(TENANT, STREAM, &large).write(&pool).await.unwrap();

        assert_eq!(version(&client).await, written, "{bytes} bytes");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_commit_of_a_snapshot_is_not_waited_for_and_no_other() {
    let databases = databases().await;
    let (node, client) = (node(&databases.log_url).await, owner(&databases.log_url).await);
    let settings = vec!["synchronous_commit=on".to_owned()];
    let options = ConnectOptions { connections_max: 1, settings, ..ConnectOptions::app() };
    let pool = connect(&databases.log_url, &options).await.unwrap();
    register(&node).await;
    let trigger = "create table event_log.noted (how text);
        grant insert on event_log.noted to lethe_app;
        create function event_log.note() returns trigger language plpgsql as $$ begin
          insert into event_log.noted values (current_setting('synchronous_commit'));
          return null;
        end $$;
        create trigger note after insert on event_log.snapshots
          for each row execute function event_log.note()";
    client.batch_execute(trigger).await.unwrap();
    let loaded = load(&streams(&pool)).await;

    Snapshot::of(TENANT, STREAM, &loaded).write(&pool).await.unwrap();

    let noted = client.query_one("select how from event_log.noted", &[]).await.unwrap();
    assert_eq!(noted.get::<_, &str>(0), "off");
    let after = pool.get().await.unwrap().query_one("show synchronous_commit", &[]).await.unwrap();
    assert_eq!(after.get::<_, &str>(0), "on");
}
