//! What each projection makes of events.

use crate::harness::{LogHarness, account, bytes, sealed, time};
use crate::mixed::{opened, proof, registered};
use crate::{mixed, team};
use domain::account::{AccountEvent, Consent};
use domain::privacy::Purpose;
use domain::seat::{LimitCause, SeatEvent};
use domain::session::{CloseReason, SessionEvent};
use domain::{LeaseId, SessionId, TenantId, WorkspaceId};
use infra::log::{Reader, Recorded};
use infra::postgres::TimeOrder;
use projections::accounts::Accounts;
use projections::audit_trail::{self, Filter};
use projections::seat_pools::{self, SeatPools};
use projections::sessions::{self, Sessions};
use uuid::Uuid;

const ALL: &[&str] = &["accounts", "sessions", "audit_trail"];
const OLDEST: (TimeOrder, Option<i64>) = (TimeOrder::Oldest, None);

#[tokio::test]
async fn an_account_shows_what_its_events_have_told() {
    let harness = LogHarness::new().await;
    let id = account(2);
    harness.record("account", id.0, registered(2)).await;
    harness.record("account", id.0, AccountEvent::EmailVerified {}).await;
    let consent = AccountEvent::ConsentGiven { purpose: Purpose::ProductNews, policy_version: 3 };
    harness.record("account", id.0, consent).await;
    let change = AccountEvent::EmailChangeRequested { email: sealed("new"), verification: proof() };
    harness.record("account", id.0, change).await;
    let name = AccountEvent::Rectified { name: Some(sealed("rectified")), username: None };
    harness.record("account", id.0, name).await;

    let readers = harness.read(projections::all()).await;
    harness.caught_up(ALL).await;

    let shown = harness.row::<Accounts>(id).await.unwrap();
    assert_eq!(shown.version, 5);
    assert_eq!(shown.email, Some(bytes("email 2")));
    assert!(shown.email_verified);
    assert_eq!(shown.pending_email, Some(bytes("new")));
    assert_eq!(shown.name, Some(bytes("rectified")));
    assert_eq!(shown.username, Some(bytes("username")));
    let given = Consent { policy_version: 3, given: true };
    assert_eq!(shown.consents.0.get(&Purpose::ProductNews), Some(&given));
    assert_eq!(shown.registered_at, time(1));
    assert_eq!(shown.position, 5);
    assert!(!shown.restricted());
    readers.stop().await;
}

#[tokio::test]
async fn a_username_that_is_removed_is_not_shown() {
    let harness = LogHarness::new().await;
    let id = account(2);
    harness.record("account", id.0, registered(2)).await;
    harness.record("account", id.0, AccountEvent::UsernameRemoved {}).await;

    let readers = harness.read(projections::all()).await;
    harness.caught_up(ALL).await;

    let shown = harness.row::<Accounts>(id).await.unwrap();
    assert_eq!((shown.version, shown.username), (2, None));
    assert_eq!(shown.name, Some(bytes("name 2")));
    readers.stop().await;
}

#[tokio::test]
async fn an_account_shows_when_it_was_used_last_until_its_address_is_verified() {
    let harness = LogHarness::new().await;
    let id = account(2);
    let readers = harness.read(projections::all()).await;
    let login = || AccountEvent::LoginSucceeded {
        session: SessionId(Uuid::from_u128(3)),
        ip: sealed("ip"),
        user_agent: sealed("browser"),
    };
    let request = || AccountEvent::ErasureRequested { requested_at: time(7), due: time(8) };
    let then = |position| Some(time(position));
    for (event, used_at) in [
        (registered(2), then(1)),
        (login(), then(2)),
        (AccountEvent::UsernameRemoved {}, then(2)),
        (request(), None),
        (login(), None),
        (AccountEvent::ErasureCancelled {}, then(6)),
        (AccountEvent::EmailVerified {}, None),
        (login(), None),
        (request(), None),
        (AccountEvent::ErasureCancelled {}, None),
    ] {
        let position = harness.record("account", id.0, event).await;
        harness.caught_up(ALL).await;
        let shown = harness.row::<Accounts>(id).await.unwrap();
        assert_eq!(shown.unverified_used_at, used_at, "{position}");
    }
    let other = account(4);
    harness.record("account", other.0, registered(4)).await;
    harness.record("account", other.0, AccountEvent::EmailChanged { email: sealed("new") }).await;
    harness.caught_up(ALL).await;
    let shown = harness.row::<Accounts>(other).await.unwrap();
    assert_eq!(shown.unverified_used_at, None, "the link of another address proves that one");
    readers.stop().await;
}

#[tokio::test]
async fn an_erased_account_keeps_ids_and_times_only() {
    let harness = LogHarness::new().await;
    let id = account(2);
    harness.record("account", id.0, registered(2)).await;
    let requested = AccountEvent::ErasureRequested { requested_at: time(7), due: time(8) };
    harness.record("account", id.0, requested).await;
    harness.record("account", id.0, AccountEvent::ErasureCompleted { requested_at: time(7) }).await;

    let readers = harness.read(projections::all()).await;
    harness.caught_up(ALL).await;

    let shown = harness.row::<Accounts>(id).await.unwrap();
    assert_eq!((shown.email, shown.name, shown.username), (None, None, None));
    assert_eq!(shown.erased_at, Some(time(3)));
    assert_eq!(shown.erasure_due, Some(time(8)));
    readers.stop().await;
}

#[tokio::test]
async fn open_sessions_are_listed_newest_first_and_page_by_page() {
    let harness = LogHarness::new().await;
    for number in 1..=4 {
        harness.record("session", Uuid::from_u128(number), opened(7)).await;
    }
    let closed = SessionEvent::Closed { reason: CloseReason::SignedOut };
    harness.record("session", Uuid::from_u128(2), closed).await;

    let readers = harness.read(projections::all()).await;
    harness.caught_up(ALL).await;

    for (order, ids) in [(TimeOrder::Newest, [4, 3, 1]), (TimeOrder::Oldest, [1, 3, 4])] {
        let find = async |filter, last, limit| {
            sessions::open(&harness.pool, account(7), filter, (order, last), limit).await.unwrap()
        };
        let list = async |kind, last, limit| {
            find(sessions::Filter { kind, ..Default::default() }, last, limit).await
        };
        let shown = |page: &[sessions::Session]| {
            page.iter().map(|session| session.session_id.0.as_u128()).collect::<Vec<_>>()
        };
        let first = list(Some("browser"), None, 2).await;
        assert_eq!(shown(&first), ids[..2]);
        let reached = first.last().map(|last| (last.opened_at, last.session_id.0));
        assert_eq!(shown(&list(None, reached, 2).await), ids[2..]);
        assert!(list(Some("client"), None, 2).await.is_empty());
        let (since, until) = (Some(time(3)), Some(time(4)));
        let between = sessions::Filter { since, until, ..Default::default() };
        assert_eq!(
            shown(&find(between, None, 2).await),
            [3],
            "from the first time to before the other"
        );
    }
    let closed = harness.row::<Sessions>(SessionId(Uuid::from_u128(2))).await.unwrap();
    assert_eq!(closed.close_reason.as_deref(), Some("signed_out"));
    assert_eq!((closed.kind.as_str(), closed.ip), ("browser", bytes("ip")));
    assert_eq!(closed.closed_at, Some(time(5)));
    readers.stop().await;
}

#[tokio::test]
async fn a_seat_pool_shows_its_limit_with_the_cause_and_who_holds_a_seat() {
    let harness = LogHarness::new().await;
    let stream = Uuid::from_u128(9);
    let [first, second, third] = [1, 2, 3].map(|number| LeaseId(Uuid::from_u128(number)));
    for event in [
        SeatEvent::LimitSet { limit: 5, cause: LimitCause::Default },
        SeatEvent::LeaseAcquired { lease: first, account: account(1), fence: 1 },
        SeatEvent::LimitSet { limit: 2, cause: LimitCause::Admin },
        SeatEvent::LeaseAcquired { lease: second, account: account(2), fence: 2 },
        SeatEvent::Denied { account: account(3), in_use: 2, limit: 2 },
        SeatEvent::LeaseTakenOver { account: account(1), from: first, to: third, fence: 3 },
        SeatEvent::LeaseExpired { lease: second, account: account(2), fence: 2 },
    ] {
        harness.record("seats", stream, event).await;
    }

    let readers = harness.read(projections::all()).await;
    harness.caught_up(&["seat_pools"]).await;

    let shown = harness.row::<SeatPools>(WorkspaceId(stream)).await.unwrap();
    assert_eq!((shown.seat_limit, shown.limit_cause.as_str()), (2, "admin"));
    assert_eq!((shown.limit_position, shown.limit_set_at), (3, time(3)));
    let held = seat_pools::Lease { lease_id: third, fence: 3, acquired_at: time(2) };
    assert_eq!(shown.leases.0.into_iter().collect::<Vec<_>>(), [(account(1), held)]);
    readers.stop().await;
}

#[tokio::test]
async fn the_audit_trail_is_the_log_and_can_be_filtered() {
    let harness = LogHarness::new().await;
    mixed::live(&harness, 5).await;
    let readers = harness.read(projections::all()).await;
    harness.caught_up(ALL).await;
    let pool = &harness.pool;
    let list = |filter: Filter| async move {
        audit_trail::page(pool, &filter, OLDEST, 200).await.unwrap()
    };

    let everything = list(Filter::default()).await;

    let positions: Vec<_> = everything.iter().map(Recorded::position).collect();
    assert_eq!(positions, (1..=harness.head()).collect::<Vec<_>>());
    let tenant = Some(TenantId(account(3).0));
    let of_three = list(Filter { tenant, ..Filter::default() }).await;
    assert_eq!(of_three.len(), 10);
    let event_type = Some("session.closed".to_owned());
    let closed = list(Filter { event_type, ..Filter::default() }).await;
    assert_eq!(closed.len(), 25);
    let (since, until) = (Some(time(10)), Some(time(20)));
    let between = list(Filter { since, until, through: Some(15), ..Filter::default() }).await;
    assert_eq!(
        between.iter().map(Recorded::position).collect::<Vec<_>>(),
        [10, 11, 12, 13, 14, 15]
    );
    let later = audit_trail::page(pool, &Filter::default(), (TimeOrder::Oldest, Some(100)), 200)
        .await
        .unwrap();
    assert_eq!(later.len(), everything.len() - 100);
    readers.stop().await;
}

#[tokio::test]
async fn the_same_event_twice_has_no_effect() {
    let harness = LogHarness::new().await;
    mixed::live(&harness, 6).await;
    team::work(&harness, 6).await;
    let all: Vec<_> = projections::all().iter().map(Reader::name).collect();
    let readers = harness.read(projections::all()).await;
    harness.caught_up(&all).await;
    readers.stop().await;
    let tables: Vec<_> = projections::all().iter().filter_map(Reader::view).collect();
    let mut before = Vec::new();
    for table in &tables {
        before.push(harness.checksum(table).await);
    }

    harness.admin.execute("update readers.checkpoints set position = 7", &[]).await.unwrap();
    let readers = harness.read(projections::all()).await;
    harness.caught_up(&all).await;

    for (table, before) in tables.iter().zip(before) {
        assert_eq!(harness.checksum(table).await, before, "{table}");
    }
    assert_eq!(harness.count("select count(*) from readers.parked").await, 0);
    readers.stop().await;
}
