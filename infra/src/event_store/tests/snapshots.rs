//! A state is the same with and without its snapshot.

use domain::account::{Account, AccountEvent, Proof};
use domain::privacy::{Personal, Sealed, take_apart};
use domain::{AggregateRoot, CredentialId, Event, ProofId, SealedId, TenantId};
use uuid::Uuid;

use super::super::append::rows::{Append, Json, NewEvent};
use super::super::load::cache::Cache;
use super::super::load::snapshot::{Snapshot, Snapshots};
use super::super::load::streams::{Freshness, Streams};
use super::super::{ExecutorConfig, LoadError, Loaded};
use super::{Node, appended, databases, event, node, owner, pool};
use crate::log::watermark::Watermark;
use crate::postgres::{ConnectOptions, Pool, connect};

pub const TENANT: TenantId = TenantId(Uuid::from_u128(1));
pub const STREAM: Uuid = Uuid::from_u128(7);

/// With nothing in its cache.
pub fn streams(pool: &Pool) -> Streams {
    snapshot_every(pool, ExecutorConfig::default().snapshot_events)
}

pub fn snapshot_every(pool: &Pool, events: i64) -> Streams {
    let snapshots = Snapshots::start(pool.clone(), events);
    let watermark = Watermark::default();
    Streams { pool: pool.clone(), cache: Cache::new(10), snapshots, watermark }
}

fn new_event(version: i64, mut account_event: AccountEvent) -> NewEvent {
    let (event_type, schema_version) = account_event.type_and_version();
    let mut event = event(u128::try_from(version).unwrap(), 7, version);
    event.sealed = take_apart(&mut account_event).unwrap();
    event.data = Json(account_event.encode().unwrap());
    NewEvent { stream_type: "account", event_type, schema_version, ..event }
}

pub fn registered(envelope: Vec<u8>) -> AccountEvent {
    let sealed = Sealed { id: SealedId(Uuid::from_u128(9)), envelope };
    AccountEvent::Registered {
        email: Personal::Sealed(sealed.clone()),
        name: Personal::Sealed(sealed),
        username: None,
        credential: CredentialId(Uuid::from_u128(1)),
        verification: Proof { id: ProofId(Uuid::nil()), until: chrono::DateTime::default() },
    }
}

pub async fn change_passwords(node: &Node, versions: std::ops::RangeInclusive<i64>) {
    for version in versions {
        let credential = CredentialId(Uuid::from_u128(u128::try_from(version).unwrap()));
        let changed = new_event(version, AccountEvent::PasswordChanged { credential });
        let append =
            Append { events: vec![changed], reservations: Vec::new(), ..Append::default() };
        assert!(appended(&node.queue.append(append).await.unwrap()));
    }
}

pub async fn register(node: &Node) {
    let append = Append {
        events: vec![new_event(1, registered(vec![1, 2, 3]))],
        reservations: Vec::new(),
        ..Append::default()
    };
    assert!(appended(&node.queue.append(append).await.unwrap()));
}

async fn load(pool: &Pool) -> Result<Loaded<Account>, LoadError> {
    Ok(streams(pool).load::<Account>(TENANT, STREAM, Freshness::Fresh).await?.loaded)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_state_is_the_same_from_a_snapshot_and_from_the_beginning() {
    let databases = databases().await;
    let (node, pool) = (node(&databases.log_url).await, pool(&databases.log_url).await);
    register(&node).await;
    change_passwords(&node, 2..=120).await;
    let at_120 = load(&pool).await.unwrap();
    change_passwords(&node, 121..=150).await;
    let whole = load(&pool).await.unwrap();
    let client = owner(&databases.log_url).await;
    client.execute("delete from event_log.snapshots", &[]).await.unwrap();

    Snapshot::of(TENANT, STREAM, &at_120).write(&pool).await.unwrap();
    let from_snapshot = load(&pool).await.unwrap();

    assert_eq!((whole.version, from_snapshot.version), (150, 150));
    assert_eq!(whole.state, from_snapshot.state);
    // An older snapshot never replaces a newer one.
    Snapshot::of(TENANT, STREAM, &whole).write(&pool).await.unwrap();
    Snapshot::of(TENANT, STREAM, &at_120).write(&pool).await.unwrap();
    let kept = "select version from event_log.snapshots";
    assert_eq!(client.query_one(kept, &[]).await.unwrap().get::<_, i64>(0), 150);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_snapshot_is_used_and_one_of_another_meaning_is_dropped() {
    let databases = databases().await;
    let (node, pool) = (node(&databases.log_url).await, pool(&databases.log_url).await);
    register(&node).await;
    change_passwords(&node, 2..=3).await;
    let read = load(&pool).await.unwrap();

    let marked = Account::Ended { backup_proven: true };
    let marked = Loaded { state: std::sync::Arc::new(marked), version: 3, position: 3 };
    Snapshot::of(TENANT, STREAM, &marked).write(&pool).await.unwrap();
    assert_eq!(load(&pool).await.unwrap().state, marked.state);

    let client = owner(&databases.log_url).await;
    let other = Account::SNAPSHOT_VERSION + 1;
    let meant = "update event_log.snapshots set snapshot_version = $1";
    client.execute(meant, &[&other]).await.unwrap();
    assert_eq!(load(&pool).await.unwrap().state, read.state);
    // And replaced, though it is no newer.
    Snapshot::of(TENANT, STREAM, &read).write(&pool).await.unwrap();
    client.execute("update event_log.snapshots set version = 3", &[]).await.unwrap();
    assert_eq!(load(&pool).await.unwrap().state, read.state);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_state_that_is_only_a_snapshot_is_cached() {
    let databases = databases().await;
    let (node, pool) = (node(&databases.log_url).await, pool(&databases.log_url).await);
    register(&node).await;
    Snapshot::of(TENANT, STREAM, &load(&pool).await.unwrap()).write(&pool).await.unwrap();
    let streams = streams(&pool);

    for fresh in [true, false] {
        let loaded = streams.load::<Account>(TENANT, STREAM, Freshness::Cached).await.unwrap();
        assert_eq!((loaded.loaded.version, loaded.fresh), (1, fresh));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_version_that_the_log_lost_is_named() {
    let databases = databases().await;
    let (node, pool) = (node(&databases.log_url).await, pool(&databases.log_url).await);
    register(&node).await;
    change_passwords(&node, 2..=3).await;
    let client = owner(&databases.log_url).await;
    let lose = "set session_replication_role = replica; \
        delete from event_log.events where version = 2";
    client.batch_execute(lose).await.unwrap();

    let missing = load(&pool).await;

    let named = matches!(missing, Err(LoadError::Missing { stream: STREAM, version: 2 }));
    assert!(named, "{missing:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_snapshot_that_cannot_be_read_gives_way_to_the_events() {
    let databases = databases().await;
    let (node, pool) = (node(&databases.log_url).await, pool(&databases.log_url).await);
    register(&node).await;
    let read = load(&pool).await.unwrap();
    Snapshot::of(TENANT, STREAM, &read).write(&pool).await.unwrap();

    let client = owner(&databases.log_url).await;
    client.execute(r#"update event_log.snapshots set state = '{"live":7}'"#, &[]).await.unwrap();

    let again = load(&pool).await.unwrap();
    assert_eq!((again.version, &again.state), (read.version, &read.state));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_read_costs_no_connection() {
    let databases = databases().await;
    let node = node(&databases.log_url).await;
    let options = ConnectOptions { connections_max: 1, ..ConnectOptions::app() };
    let pool = connect(&databases.log_url, &options).await.unwrap();
    let process = async || -> i32 {
        pool.get().await.unwrap().query_one("select pg_backend_pid()", &[]).await.unwrap().get(0)
    };
    register(&node).await;
    let read = load(&pool).await.unwrap();
    change_passwords(&node, 2..=5).await;
    Snapshot::of(TENANT, STREAM, &read).write(&pool).await.unwrap();
    let client = owner(&databases.log_url).await;
    let first = process().await;

    client.execute(r#"update event_log.snapshots set state = '{"live":7}'"#, &[]).await.unwrap();
    load(&pool).await.unwrap();
    assert_eq!(process().await, first, "a snapshot that cannot be read");
    // It is replaced a moment later.
    let replaced = "select version = 5 from event_log.snapshots";
    test_support::until("another snapshot is written", async || {
        client.query_one(replaced, &[]).await.unwrap().get::<_, bool>(0)
    })
    .await;

    client.execute("delete from event_log.snapshots", &[]).await.unwrap();
    let lose = "set session_replication_role = replica; \
        delete from event_log.events where version = 2";
    client.batch_execute(lose).await.unwrap();
    assert!(matches!(load(&pool).await, Err(LoadError::Missing { .. })));
    assert_eq!(process().await, first, "an event that is missing");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_snapshot_holds_sealed_fields_only() {
    let databases = databases().await;
    let pool = pool(&databases.log_url).await;
    let mut clear = Account::default();
    let email = domain::privacy::EmailAddress::parse("ada@example.org").unwrap();
    let AccountEvent::Registered { name, credential, verification, .. } = registered(vec![1, 2, 3])
    else {
        unreachable!()
    };
    let email = Personal::Clear(email);
    let event = AccountEvent::Registered { email, name, username: None, credential, verification };
    cqrs_es::Aggregate::apply(&mut clear, event);

    let clear = Loaded { state: std::sync::Arc::new(clear), version: 1, position: 1 };
    Snapshot::of(TENANT, STREAM, &clear).write(&pool).await.unwrap();

    let client = owner(&databases.log_url).await;
    assert!(client.query("select from event_log.snapshots", &[]).await.unwrap().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn another_tenants_stream_is_not_read() {
    let databases = databases().await;
    let (node, pool) = (node(&databases.log_url).await, pool(&databases.log_url).await);
    register(&node).await;
    let streams = streams(&pool);
    let mine = streams.load::<Account>(TENANT, STREAM, Freshness::Fresh).await.unwrap().loaded;
    assert_eq!(mine.version, 1);
    Snapshot::of(TENANT, STREAM, &mine).write(&pool).await.unwrap();

    for freshness in [Freshness::Fresh, Freshness::Cached] {
        let other = TenantId(Uuid::from_u128(2));
        let loaded = streams.load::<Account>(other, STREAM, freshness).await.unwrap().loaded;
        assert_eq!((loaded.version, loaded.state.as_ref()), (0, &Account::Absent));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_knows_the_last_event_of_a_stream_that_it_has_loaded() {
    let databases = databases().await;
    let (node, pool) = (node(&databases.log_url).await, pool(&databases.log_url).await);
    register(&node).await;
    change_passwords(&node, 2..=5).await;
    let written = node.watermark.newest();

    let reader = streams(&pool);
    let loaded = reader.load::<Account>(TENANT, STREAM, Freshness::Fresh).await.unwrap().loaded;
    assert_eq!(reader.watermark.newest(), written);

    // Nothing stands after its snapshot.
    Snapshot::of(TENANT, STREAM, &loaded).write(&pool).await.unwrap();
    let reader = streams(&pool);
    reader.load::<Account>(TENANT, STREAM, Freshness::Fresh).await.unwrap();
    assert_eq!(reader.watermark.newest(), written);
    assert_eq!(written.map(|mark| mark.position), Some(5));
}
