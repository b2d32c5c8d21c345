//! A single row is read with the events that its reader has not come to.

use crate::harness::{LogHarness, account, bytes, sealed};
use crate::mixed::registered;
use domain::account::AccountEvent;
use domain::privacy::Purpose;
use domain::run::{RunEvent, Work};
use domain::seat::{LimitCause, SeatEvent};
use domain::{LeaseId, RunId, ServerId, WorkspaceId};
use infra::log::{Projection, Row, RowLookups, read_through};
use projections::accounts::{Account, Accounts};
use projections::runs::Runs;
use projections::seat_pools::SeatPools;
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
    read_through(&RowLookups::<Accounts>::start(harness.pool.clone()), id, id.0).await.unwrap()
}

/// Every column of a row.
async fn columns<P: Projection>(harness: &LogHarness, key: P::Key, stream: Uuid) -> String {
    let row = read_through(&RowLookups::<P>::start(harness.pool.clone()), key, stream)
        .await
        .unwrap()
        .unwrap();
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
