//! Every row comes from one stream, or from one event.

use std::collections::{HashMap, HashSet};

use crate::harness::{LogHarness, newest_version};
use crate::mixed::{opened, registered, then};
use crate::team;
use domain::seat::pool_stream;
use domain::session::{CloseReason, SessionEvent};
use domain::{TenantId, WorkspaceId};
use infra::log::{Feed, FoldError, Origin, Poison, Projection, Reader, Recorded, compare_streams};
use uuid::Uuid;

const TURNS: i64 = 500;

/// A row that two streams make: one for all streams of a tenant.
struct Tenants;

infra::row! {
    /// How many events a tenant has.
    pub struct Activity {
        pub tenant_id: TenantId,
        pub events: i64,
        pub position: i64,
    }
}

impl Projection for Tenants {
    const NAME: &'static str = "tenants";
    const VERSION: i16 = 1;
    const EVENT_TYPES: &'static [&'static str] = &["session.opened"];
    const TABLE: &'static str = "create table {table} (tenant_id uuid primary key,
        events bigint not null, position bigint not null)";
    const INDEXES: &'static str = "";
    type Key = TenantId;
    type Row = Activity;

    fn key(event: &Recorded) -> TenantId {
        event.tenant()
    }

    fn origin(row: &Activity) -> Origin {
        Origin::Stream(row.tenant_id.0)
    }

    fn fold(row: &mut Option<Activity>, event: &Recorded) -> Result<(), Poison> {
        let events = row.as_ref().map_or(0, |row| row.events) + 1;
        *row = Some(Activity { tenant_id: event.tenant(), events, position: event.position() });
        Ok(())
    }
}

/// Draws the same numbers each time (`SplitMix64`).
struct Draws(u64);

impl Draws {
    fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % end
    }
}

/// Something that happens to one of eight things of its kind: each begins, and then goes on in any order.
async fn happen(harness: &LogHarness, kind: u64, number: u128, turn: u64) {
    let id = |kind: u128| Uuid::from_u128(kind * 1_000_000 + number);
    let (stream, workspace) = (id(kind.into()), id(7));
    let turn_of_team = u128::from(turn % 8);
    match kind {
        1 if turn == 0 => harness.record("account", stream, registered(number)).await,
        1 => {
            let turn = u32::try_from(turn).unwrap();
            harness.record("account", stream, then(number, turn)).await
        }
        2 if turn == 0 => harness.record("session", stream, opened(number)).await,
        2 => {
            let closed = SessionEvent::Closed { reason: CloseReason::SignedOut };
            harness.record("session", stream, closed).await
        }
        3 => {
            let pool = pool_stream(WorkspaceId(workspace));
            harness.record_of(workspace, ("seats", pool), team::seat(turn_of_team)).await
        }
        4 => {
            let event = team::server(number, turn_of_team);
            harness.record_of(workspace, ("server", stream), event).await
        }
        5 => harness.record_of(workspace, ("run", stream), team::run(turn_of_team)).await,
        _ => harness.record("workspace", workspace, team::workspace(turn_of_team)).await,
    };
}

/// Folds the events, and passes over those that do not fit. How often a row was made or changed, or which one has
/// another origin than its events.
fn check<P: Projection>(events: &[Recorded]) -> Result<usize, String> {
    let mut rows: HashMap<P::Key, (Uuid, Option<P::Row>)> = HashMap::new();
    let mut folded = 0;
    for event in events {
        let is_read = P::EVENT_TYPES.is_empty() || P::EVENT_TYPES.contains(&event.event_type());
        if !is_read {
            continue;
        }
        let (position, of) = (event.position(), event.stream_id());
        let (stream, row) = rows.entry(P::key(event)).or_insert_with(|| (of, None));
        if *stream != of {
            return Err(format!("{}: two streams have the key of the event {position}", P::NAME));
        }
        if P::fold(row, event).is_err() {
            continue;
        }
        if let Some(row) = row {
            let made_by =
                if P::APPEND_ONLY { Origin::Position(position) } else { Origin::Stream(of) };
            if P::origin(row) != made_by {
                return Err(format!("{}: {position} is not {:?}", P::NAME, P::origin(row)));
            }
            folded += 1;
        }
    }
    Ok(folded)
}

async fn events(harness: &LogHarness) -> Vec<Recorded> {
    let client = harness.pool.get().await.unwrap();
    Feed::page(&client, 0, TURNS).await.unwrap()
}

#[tokio::test]
async fn a_row_is_of_the_stream_or_of_the_event_that_has_made_it() {
    let harness = LogHarness::new().await;
    let (mut draws, mut begun) = (Draws(1), HashSet::new());
    for _ in 0..TURNS {
        let (kind, number) = (1 + draws.below(6), draws.below(8));
        let is_new = begun.insert((kind, number));
        let turn = if is_new { 0 } else { 1 + draws.below(9) };
        happen(&harness, kind, number.into(), turn).await;
    }
    let events = events(&harness).await;

    let checked = [
        check::<projections::accounts::Accounts>(&events),
        check::<projections::sessions::Sessions>(&events),
        check::<projections::servers::Servers>(&events),
        check::<projections::audit_trail::AuditTrail>(&events),
        check::<projections::workspaces::Workspaces>(&events),
        check::<projections::memberships::Memberships>(&events),
        check::<projections::seat_pools::SeatPools>(&events),
        check::<projections::runs::Runs>(&events),
    ];

    assert_eq!(checked.len(), projections::all().len(), "each projection is checked");
    for folded in checked {
        // As many as one of the kinds has events, nearly.
        assert!(folded.as_ref().is_ok_and(|folded| *folded > 20), "{folded:?}");
    }
}

#[tokio::test]
async fn a_row_that_two_streams_make_is_refused() {
    let harness = LogHarness::new().await;
    let (tenant, streams) = (Uuid::from_u128(9), [1, 2].map(Uuid::from_u128));
    let tenants = Reader::projection::<Tenants>();
    for stream in streams {
        harness.record_of(tenant, ("session", stream), opened(1)).await;
    }
    let readers = harness.read(vec![tenants.clone()]).await;
    harness.caught_up(&["tenants"]).await;
    readers.stop().await;

    let refused = check::<Tenants>(&events(&harness).await);
    let compared = compare_streams(&harness.pool, &tenants, &streams, newest_version).await;

    assert!(refused.is_err(), "{refused:?}");
    let of_two =
        matches!(&compared, Err(FoldError::TwoStreams { key }) if *key == tenant.to_string());
    assert!(of_two, "{compared:?}");
}
