//! A single row is read with the events that its reader has not come to.

use crate::harness::{LogHarness, account, bytes, lookups, sealed};
use crate::mixed::registered;
use domain::account::AccountEvent;
use domain::privacy::Purpose;
use domain::run::{RunEvent, Work};
use domain::seat::{LimitCause, SeatEvent};
use domain::{LeaseId, RunId, ServerId, WorkspaceId};
use infra::log::{Projection, Row, read_through};
use infra::postgres::{ConnectOptions, connect, connect_one};
use projections::accounts::{Account, Accounts};
use projections::runs::Runs;
use projections::seat_pools::SeatPools;
use test_support::{LIMIT, until, until_waits_for_lock};
use uuid::Uuid;

const SEATS: Uuid = Uuid::from_u128(9);
const RUN: Uuid = Uuid::from_u128(7);

/// A log whose read models are made, and that nobody reads.
async fn unread() -> LogHarness {
    let harness = LogHarness::new().await;
    harness.read(projections::all()).await.stop().await;
    harness
}

async fn read(harness: &LogHarness, number: u128) -> Option<Account> {
    let id = account(number);
    read_through(&lookups::<Accounts>(&harness.pool), id, id.0).await.unwrap()
}

/// Every column of a row.
async fn columns<P: Projection>(harness: &LogHarness, key: P::Key, stream: Uuid) -> String {
    let row = read_through(&lookups::<P>(&harness.pool), key, stream).await.unwrap().unwrap();
    format!("{:?}", row.values())
}

#[tokio::test]
async fn what_no_reader_has_come_to_is_read() {
    let harness = unread().await;
    let id = account(2);
    assert!(read(&harness, 2).await.is_none());
    harness.record("account", id.0, registered(2)).await;
    harness.record("account", account(3).0, registered(3)).await;

    assert!(harness.row::<Accounts>(id).await.is_none());
    let first = read(&harness, 2).await.unwrap();
    assert_eq!((first.version, first.position, first.name), (1, 1, Some(bytes("name 2"))));

    let readers = harness.read(projections::all()).await;
    harness.caught_up(&["accounts"]).await;
    readers.stop().await;
    let name = AccountEvent::Rectified { name: Some(sealed("rectified")), username: None };
    harness.record("account", id.0, name).await;
    harness.record("account", account(3).0, AccountEvent::EmailVerified {}).await;
    harness.record("account", id.0, AccountEvent::EmailVerified {}).await;

    assert_eq!(harness.row::<Accounts>(id).await.unwrap().version, 1);
    let changed = read(&harness, 2).await.unwrap();
    assert_eq!((changed.version, changed.position, changed.email_verified), (3, 5, true));
    assert_eq!(changed.name, Some(bytes("rectified")));
}

#[tokio::test]
async fn a_row_that_is_read_through_is_the_row_that_its_reader_writes() {
    let harness = unread().await;
    let (id, lease, server) = (account(2), LeaseId(RUN), ServerId(SEATS));
    let consent = AccountEvent::ConsentGiven { purpose: Purpose::ProductNews, policy_version: 3 };
    for event in [registered(2), AccountEvent::EmailVerified {}, consent] {
        harness.record("account", id.0, event).await;
    }
    for event in [
        SeatEvent::LimitSet { limit: 5, cause: LimitCause::Default },
        SeatEvent::LeaseAcquired { lease, account: id, fence: 1 },
        SeatEvent::Denied { account: account(3), in_use: 5, limit: 5 },
        SeatEvent::LimitSet { limit: 2, cause: LimitCause::Admin },
    ] {
        harness.record("seats", SEATS, event).await;
    }
    let work = Work::Command { command: sealed("make") };
    let servers = vec![server];
    let (attempt, fence) = (1, 1);
    for event in [
        RunEvent::Requested { work, servers, timeout_seconds: 60, secrets: None },
        RunEvent::Dispatched { server, attempt, fence },
        RunEvent::Started { server, attempt, fence },
    ] {
        harness.record("run", RUN, event).await;
    }
    let all = async || {
        [
            columns::<Accounts>(&harness, id, id.0).await,
            columns::<SeatPools>(&harness, WorkspaceId(SEATS), SEATS).await,
            columns::<Runs>(&harness, RunId(RUN), RUN).await,
        ]
    };

    let folded = all().await;

    let readers = harness.read(projections::all()).await;
    harness.caught_up(&["accounts", "seat_pools", "runs"]).await;
    readers.stop().await;
    // Nothing is left to fold: this is what the readers wrote.
    assert_eq!(folded, all().await);
}

#[tokio::test]
async fn each_event_is_seen_once_while_a_reader_writes_the_row() {
    const EVENTS: i64 = 300;
    let harness = LogHarness::new().await;
    let readers = harness.read(projections::all()).await;
    harness.caught_up(&["accounts"]).await;
    harness.record("account", account(2).0, registered(2)).await;

    for version in 2..=EVENTS {
        harness.record("account", account(2).0, AccountEvent::EmailVerified {}).await;

        let row = read(&harness, 2).await.unwrap();
        assert_eq!((row.version, row.position), (version, version));
    }
    readers.stop().await;
}

#[tokio::test]
async fn a_row_ends_before_an_event_that_cannot_be_read() {
    let harness = unread().await;
    let id = account(2);
    harness.record("account", id.0, registered(2)).await;
    harness.append("account", id.0, "account.consent_given", 1, "{}", None).await;
    harness.record("account", id.0, AccountEvent::EmailVerified {}).await;

    let row = read(&harness, 2).await.unwrap();
    assert_eq!((row.version, row.email_verified), (1, false));
}

/// Where the log's recent part begins.
async fn move_recent_from(harness: &LogHarness, position: i64) {
    let moved = format!(
        "create or replace function event_log.recent_from() returns bigint
         language sql stable as 'select {position}::bigint'"
    );
    harness.admin.batch_execute(&moved).await.unwrap();
}

/// So many events of account 2, each of which changes something else. The reader has come to the first `read`.
async fn with_events(events: usize, read: usize) -> LogHarness {
    let harness = unread().await;
    let consent = AccountEvent::ConsentGiven { purpose: Purpose::ProductNews, policy_version: 3 };
    let all = [
        registered(2),
        AccountEvent::Rectified { name: Some(sealed("rectified")), username: None },
        AccountEvent::EmailVerified {},
        consent,
        AccountEvent::UsernameRemoved {},
    ];
    for (number, event) in all.into_iter().enumerate().take(events) {
        if number == read {
            catch_up(&harness).await;
        }
        harness.record("account", account(2).0, event).await;
    }
    if read == events {
        catch_up(&harness).await;
    }
    harness
}

async fn catch_up(harness: &LogHarness) {
    let readers = harness.read(projections::all()).await;
    harness.caught_up(&["accounts"]).await;
    readers.stop().await;
}

/// Reads account 2 on a pool of one connection, and does something between the statement that finds the row and the
/// one that reads events.
async fn read_with(harness: &LogHarness, between: impl AsyncFnOnce()) -> Account {
    let options = ConnectOptions { connections_max: 1, wait: LIMIT, ..ConnectOptions::app() };
    let pool = connect(&harness.databases.log_url, &options).await.unwrap();
    let holder = connect_one(&harness.databases.log_url, &ConnectOptions::default()).await.unwrap();
    let lock = "begin; lock table read_models.accounts_v4 in access exclusive mode";
    holder.batch_execute(lock).await.unwrap();
    let rows = lookups::<Accounts>(&pool);
    let id = account(2);
    let reading = tokio::spawn(async move { read_through(&rows, id, id.0).await });
    until_waits_for_lock(&harness.admin, "read_models.accounts_v4").await;
    let next = pool.clone();
    let next = tokio::spawn(async move { next.get().await });
    until("somebody waits for the connection", async || pool.status().waiting == 1).await;

    holder.batch_execute("commit").await.unwrap();

    let client = next.await.unwrap().unwrap();
    until("the events are to be read", async || pool.status().waiting == 1).await;
    between().await;
    drop(client);
    reading.await.unwrap().unwrap().unwrap()
}

#[tokio::test]
async fn no_event_is_missing_where_the_reader_passes_the_recent_part_meanwhile() {
    let harness = with_events(4, 1).await;
    move_recent_from(&harness, 4).await;

    let row = read_with(&harness, async || catch_up(&harness).await).await;

    assert_eq!((row.version, row.email_verified, row.consents.0.len()), (4, true, 1));
    assert_eq!(row.name, Some(bytes("rectified")));
}

#[tokio::test]
async fn no_event_is_missing_where_the_recent_part_moves_on_meanwhile() {
    let harness = with_events(5, 2).await;
    move_recent_from(&harness, 2).await;

    let row = read_with(&harness, async || move_recent_from(&harness, 5).await).await;

    assert_eq!((row.version, row.email_verified, row.consents.0.len()), (5, true, 1));
    assert_eq!(row.username, None);
}

#[tokio::test]
async fn a_row_of_a_stream_that_was_idle_for_long_is_read_without_its_events() {
    let harness = with_events(2, 2).await;
    harness.record("account", account(3).0, registered(3)).await;
    catch_up(&harness).await;
    move_recent_from(&harness, 3).await;
    let of_another = "insert into readers.parked
        (reader, version, generation, replay, stream_id, from_position, error)
        select name, version, 7, true, $1::uuid, 2, 'unfit' from readers.checkpoints where name = 'accounts'";
    harness.admin.execute(of_another, &[&account(2).0]).await.unwrap();
    // Only the statement that reads events looks there.
    let holder = connect_one(&harness.databases.log_url, &ConnectOptions::default()).await.unwrap();
    let lock = "begin; lock table event_log.streams in access exclusive mode";
    holder.batch_execute(lock).await.unwrap();

    assert_eq!(read(&harness, 2).await.unwrap().version, 2);

    holder.batch_execute("commit").await.unwrap();
    let parked = "insert into readers.parked (reader, version, generation, stream_id, from_position, error)
        select name, version, generation, $1::uuid, 2, 'unfit' from readers.checkpoints where name = 'accounts'";
    harness.admin.execute(parked, &[&account(2).0]).await.unwrap();
    holder.batch_execute(lock).await.unwrap();
    let reading = tokio::spawn({
        let rows = lookups::<Accounts>(&harness.pool);
        async move { read_through(&rows, account(2), account(2).0).await.unwrap().unwrap().version }
    });
    until_waits_for_lock(&harness.admin, "event_log.streams").await;
    holder.batch_execute("commit").await.unwrap();
    assert_eq!(reading.await.unwrap(), 2, "a parked row is read on");
}
