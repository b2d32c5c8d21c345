//! Seats end with their time, with their holder's membership, and once.

use domain::privacy::Label;
use domain::seat::{ReleaseReason, SeatCommand, SeatEvent, SeatPool, pool_stream};
use domain::workspace::{Role, Workspace, WorkspaceCommand, WorkspaceEvent};
use domain::{Event, LeaseId, WorkspaceId};
use futures_util::future::join_all;

use super::super::lease_reaper::reap_due;
use super::super::seat_leases::SeatLeases;
use super::*;
use crate::operations::expire_leases::expire_leases;

const ROWS: &str = "select count(*) from working.seat_leases";

impl Harness {
    /// A node with the smallest pools that the settings admit.
    async fn small_node(&self) -> App {
        let mail = Transport::folder(self.dir.path().join("mail")).await.unwrap();
        let options = ConnectOptions { connections_max: 2, ..ConnectOptions::app() };
        self.node_of(mail, &self.databases.log_url, options).await
    }
}

/// A workspace of somebody who has registered nowhere, with two seats.
async fn workspace(app: &App, owner: AccountId) -> WorkspaceId {
    let workspace = WorkspaceId(app.ids.uuid());
    let name = Personal::Clear(Label::parse("Engines").unwrap());
    let steps = [
        Step::new::<Workspace>(workspace.0, WorkspaceCommand::Create { name, owner }),
        Step::new::<SeatPool>(pool_stream(workspace), SeatCommand::Open { limit: 2 }),
    ];
    let request = Request::new(workspace.into(), CommandId(app.ids.uuid()));
    app.executor.execute(&request, &steps).await.unwrap();
    workspace
}

pub(super) async fn seat(app: &App, of: WorkspaceId, command: SeatCommand) -> Receipt {
    let request = Request::new(of.into(), CommandId(app.ids.uuid()));
    let steps = [Step::new::<SeatPool>(pool_stream(of), command)];
    app.executor.execute(&request, &steps).await.unwrap()
}

/// The event alone, as a node leaves it that dies before it has put the row down.
async fn lease(app: &App, of: WorkspaceId, account: AccountId) -> LeaseId {
    let lease = LeaseId(app.ids.uuid());
    seat(app, of, SeatCommand::Acquire { lease, account }).await;
    lease
}

/// Somebody's lease in a workspace, with its row.
pub(super) async fn leased(app: &App) -> (WorkspaceId, AccountId, LeaseId) {
    let account = nobody(app);
    let of = workspace(app, account).await;
    let held = lease(app, of, account).await;
    react(app, &SeatLeases::new(app)).await.unwrap();
    (of, account, held)
}

/// Lets the time of every lease be over.
async fn let_time_pass(app: &App) {
    let sql = "update working.seat_leases set expires_at = expires_at - interval '1 day'";
    app.pool.get().await.unwrap().execute(sql, &[]).await.unwrap();
}

async fn events(app: &App, of: WorkspaceId) -> Vec<SeatEvent> {
    let log = log(app).await;
    let of_pool = log.iter().filter(|event| event.stream_id() == pool_stream(of));
    of_pool.map(|event| event.decode().unwrap()).collect()
}

fn nobody(app: &App) -> AccountId {
    AccountId(app.ids.uuid())
}

#[tokio::test]
async fn a_lease_whose_node_died_before_its_row_ends_when_its_time_is_over() {
    let harness = Harness::new().await;
    let app = harness.node().await;
    let ada = nobody(&app);
    let of = workspace(&app, ada).await;
    let held = lease(&app, of, ada).await;
    assert_eq!(count(&app, ROWS).await, 0);

    for _ in 0..2 {
        react(&app, &SeatLeases::new(&app)).await.unwrap();
    }

    let ends = app.seats.expiries(of).await.unwrap();
    let acquired = log(&app).await.last().unwrap().recorded_at();
    assert_eq!(ends, [(held, acquired + TimeDelta::seconds(120))], "from the event on");
    reap_due(app.clone()).await.unwrap();
    assert_eq!(count(&app, ROWS).await, 1, "its time is not over");
    let_time_pass(&app).await;
    reap_due(app.clone()).await.unwrap();
    reap_due(app.clone()).await.unwrap();

    let expired = SeatEvent::LeaseExpired { lease: held, account: ada, fence: 1 };
    assert_eq!(events(&app, of).await.last(), Some(&expired));
    assert_eq!(event_types(&app, pool_stream(of)).await.len(), 3);
    assert_eq!(count(&app, ROWS).await, 0);
    assert_eq!(app.metrics.seat_expirations.get(), 1);
}

#[tokio::test]
async fn two_nodes_end_many_leases_once_each() {
    let harness = Harness::new().await;
    let (one, other) = (harness.node().await, harness.node().await);
    let mut leased = 0;
    for _ in 0..3 {
        let ada = nobody(&one);
        let of = workspace(&one, ada).await;
        for account in [ada, nobody(&one)] {
            lease(&one, of, account).await;
            leased += 1;
        }
    }
    react(&one, &SeatLeases::new(&one)).await.unwrap();
    let_time_pass(&one).await;

    while count(&one, ROWS).await > 0 {
        let (here, there) = tokio::join!(reap_due(one.clone()), reap_due(other.clone()));
        here.and(there).unwrap();
    }

    let ended = "select count(*) from event_log.events where event_type = 'seat.lease_expired'";
    assert_eq!(count(&one, ended).await, leased);
    let counted = [&one, &other].map(|app| app.metrics.seat_expirations.get());
    assert_eq!(counted.iter().sum::<u64>(), leased.unsigned_abs());
}

#[tokio::test]
async fn with_the_smallest_pool_leases_of_many_workspaces_end_at_once() {
    let harness = Harness::new().await;
    let app = harness.small_node().await;
    let mut workspaces = Vec::new();
    for _ in 0..6 {
        let ada = nobody(&app);
        let of = workspace(&app, ada).await;
        lease(&app, of, ada).await;
        workspaces.push(of);
    }
    react(&app, &SeatLeases::new(&app)).await.unwrap();
    let_time_pass(&app).await;

    let ended = join_all(workspaces.iter().map(|of| expire_leases(&app, *of))).await;

    for ended in ended {
        ended.unwrap();
    }
    assert_eq!(count(&app, ROWS).await, 0);
}

#[tokio::test]
async fn a_crash_between_the_event_and_the_commit_expires_a_lease_once() {
    let harness = Harness::new().await;
    let app = harness.node().await;
    let (of, ada, held) = leased(&app).await;
    let_time_pass(&app).await;
    seat(&app, of, SeatCommand::Expire { lease: held, account: ada }).await;
    assert_eq!(count(&app, ROWS).await, 1);

    reap_due(app.clone()).await.unwrap();

    assert_eq!(count(&app, ROWS).await, 0);
    assert_eq!(event_types(&app, pool_stream(of)).await.len(), 3);
    // A worker that comes late puts the row down again, and takes it away with the next event.
    react(&app, &SeatLeases::new(&app)).await.unwrap();
    assert_eq!(count(&app, ROWS).await, 0);
}

#[tokio::test]
async fn a_take_over_that_was_cut_short_moves_the_row() {
    let harness = Harness::new().await;
    let app = harness.node().await;
    let ada = nobody(&app);
    let of = workspace(&app, ada).await;
    let from = lease(&app, of, ada).await;
    react(&app, &SeatLeases::new(&app)).await.unwrap();
    let to = LeaseId(app.ids.uuid());
    seat(&app, of, SeatCommand::TakeOver { account: ada, from, to }).await;

    react(&app, &SeatLeases::new(&app)).await.unwrap();

    assert!(!app.seats.is_live(from, 1).await.unwrap());
    assert!(app.seats.is_live(to, 2).await.unwrap());
}

#[tokio::test]
async fn a_row_without_a_lease_is_dropped_and_nothing_is_told() {
    let harness = Harness::new().await;
    let app = harness.node().await;
    let ada = nobody(&app);
    let of = workspace(&app, ada).await;
    for workspace in [of, WorkspaceId(app.ids.uuid())] {
        let (lease, since) = (LeaseId(app.ids.uuid()), noon() - TimeDelta::days(9_000));
        let ttl = TimeDelta::seconds(1);
        let orphan =
            infra::seats::NewSeatLease { lease, workspace, account: ada, fence: 9, since, ttl };
        app.seats.put(&orphan).await.unwrap();
    }

    reap_due(app.clone()).await.unwrap();

    assert_eq!(count(&app, ROWS).await, 0);
    assert_eq!(event_types(&app, pool_stream(of)).await, ["seat.limit_set"]);
}

/// Appends an event of the workspace, whoever decided it.
async fn member(app: &App, of: WorkspaceId, event: WorkspaceEvent) {
    append(app, of, event.type_and_version().0, &event.encode().unwrap()).await;
}

async fn append(app: &App, of: WorkspaceId, event_type: &str, data: &str) {
    let client = app.pool.get().await.unwrap();
    let sql = "select event_log.append_one(row(0, 2, $1::uuid, 'workspace', $1::uuid, 3, $2::uuid, \
               $3::text, 1, $4::text::json, null, array[$1::uuid], null, null, null, null, null, \
               $2::uuid, null, null, 1)::event_log.new_event)::text";
    client.query_one(sql, &[&of.0, &app.ids.uuid(), &event_type, &data]).await.unwrap();
}

async fn vacated_by(event: impl Fn(AccountId) -> WorkspaceEvent) -> Option<(SeatEvent, i64)> {
    let harness = Harness::new().await;
    let app = harness.node().await;
    let (ada, bo) = (nobody(&app), nobody(&app));
    let of = workspace(&app, ada).await;
    lease(&app, of, ada).await;
    let held = lease(&app, of, bo).await;
    member(&app, of, event(bo)).await;

    for _ in 0..2 {
        react(&app, &SeatLeases::new(&app)).await.unwrap();
    }

    let events = events(&app, of).await;
    let of_bo = |event: &&SeatEvent| matches!(event, SeatEvent::LeaseReleased { lease, .. } if *lease == held);
    let released: Vec<&SeatEvent> = events.iter().filter(of_bo).collect();
    assert!(released.len() < 2, "{released:?}");
    let rows = count(&app, ROWS).await;
    released.first().map(|event| ((*event).clone(), rows))
}

#[tokio::test]
async fn whoever_leaves_or_has_a_role_without_a_seat_vacates_it() {
    let (removed, rows) =
        vacated_by(|account| WorkspaceEvent::MemberRemoved { account }).await.unwrap();
    let reason = |event| {
        let SeatEvent::LeaseReleased { reason, .. } = event else { panic!("{event:?}") };
        reason
    };
    assert_eq!((reason(removed), rows), (ReleaseReason::MemberGone, 1));
    let (from, to) = (Role::Operator, Role::Viewer);
    let demoted = vacated_by(|account| WorkspaceEvent::RoleChanged { account, from, to }).await;
    assert_eq!(reason(demoted.unwrap().0), ReleaseReason::RoleChanged);
    let (from, to) = (Role::Operator, Role::Admin);
    let promoted = vacated_by(|account| WorkspaceEvent::RoleChanged { account, from, to }).await;
    assert_eq!(promoted, None, "an admin may have a seat");
}

/// Without its new role, a change of a role looked like a member who has left.
#[tokio::test]
async fn a_role_change_of_an_unknown_shape_is_an_error_and_vacates_no_seat() {
    let harness = Harness::new().await;
    let app = harness.node().await;
    let ada = nobody(&app);
    let of = workspace(&app, ada).await;
    lease(&app, of, ada).await;
    let renamed = format!(r#"{{"account":"{ada}","from":"operator","new_role":"admin"}}"#);
    append(&app, of, "workspace.role_changed", &renamed).await;

    let outcome = react(&app, &SeatLeases::new(&app)).await;

    assert!(matches!(outcome, Err(WorkerError::Poison(_))), "{outcome:?}");
    assert_eq!(event_types(&app, pool_stream(of)).await, ["seat.limit_set", "seat.lease_acquired"]);
}

#[tokio::test]
async fn a_deleted_workspace_has_no_seats_whatever_its_fence_still_takes() {
    for closing in [SeatEvent::CLOSING, &[]] {
        let harness = Harness::new().await;
        let app = harness.node().await;
        let ada = nobody(&app);
        let of = workspace(&app, ada).await;
        lease(&app, of, ada).await;
        react(&app, &SeatLeases::new(&app)).await.unwrap();
        let deleted = WorkspaceEvent::Deleted { requested_at: noon() };
        member(&app, of, deleted).await;
        app.executor.fence(of.into(), closing).await.unwrap();

        react(&app, &SeatLeases::new(&app)).await.unwrap();

        assert_eq!(count(&app, ROWS).await, 0);
        let types = event_types(&app, pool_stream(of)).await;
        let released = types.iter().filter(|name| *name == "seat.lease_released").count();
        assert_eq!(released, usize::from(!closing.is_empty()));
    }
}
