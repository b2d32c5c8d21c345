//! What the read models make of workspaces and their members.

use crate::harness::{LogHarness, account, bytes, sealed, time};
use domain::WorkspaceId;
use domain::workspace::{Role, WorkspaceEvent};
use infra::postgres::{TimeOrder, TimePlace};
use projections::memberships::{Mine, joined as joined_by};
use projections::workspaces::{count_restricted, restricted};
use uuid::Uuid;

const READERS: &[&str] = &["workspaces", "memberships"];

fn workspace(number: u128) -> WorkspaceId {
    WorkspaceId(Uuid::from_u128(number))
}

/// The workspaces of an account, those first that it joined first.
async fn mine(harness: &LogHarness, of: u128, after: Option<TimePlace>, limit: i64) -> Vec<Mine> {
    let order = (TimeOrder::Oldest, after);
    joined_by(&harness.pool, account(of), None, order, limit).await.unwrap()
}

async fn record(harness: &LogHarness, of: WorkspaceId, events: Vec<WorkspaceEvent>) {
    for event in events {
        harness.record("workspace", of.0, event).await;
    }
}

fn founded(owner: u128) -> Vec<WorkspaceEvent> {
    vec![
        WorkspaceEvent::Created { name: sealed("name") },
        WorkspaceEvent::MemberJoined { account: account(owner), role: Role::Owner },
    ]
}

#[tokio::test]
async fn ones_workspaces_are_those_that_one_belongs_to_now() {
    let harness = LogHarness::new().await;
    let joined = |member, role| WorkspaceEvent::MemberJoined { account: account(member), role };
    record(&harness, workspace(11), founded(1)).await;
    record(&harness, workspace(12), founded(2)).await;
    record(&harness, workspace(13), founded(1)).await;
    let (from, to) = (Role::Viewer, Role::Admin);
    let raised = WorkspaceEvent::RoleChanged { account: account(1), from, to };
    let again = vec![joined(1, from), raised, WorkspaceEvent::Renamed { name: sealed("renamed") }];
    record(&harness, workspace(12), again).await;
    let left = WorkspaceEvent::MemberRemoved { account: account(2) };
    record(&harness, workspace(12), vec![left]).await;
    let asked = WorkspaceEvent::DeletionRequested { requested_at: time(5), due: time(9) };
    record(&harness, workspace(13), vec![asked]).await;

    let readers = harness.read(projections::all()).await;
    harness.caught_up(READERS).await;

    let found = mine(&harness, 1, None, 10).await;
    let ids: Vec<WorkspaceId> = found.iter().map(|mine| mine.workspace).collect();
    assert_eq!(ids, [workspace(11), workspace(13), workspace(12)]);
    assert_eq!((found[2].role, found[2].members), (Role::Admin, 1));
    assert_eq!(found[2].name, Some(bytes("renamed")));
    assert_eq!(found[1].deletion_due, Some(time(9)));
    let first = (found[0].joined_at, found[0].workspace.0);
    let second = mine(&harness, 1, Some(first), 1).await;
    assert_eq!(second.len(), 1);
    assert_eq!(second[0].workspace, workspace(13));
    assert!(mine(&harness, 2, None, 10).await.is_empty());
    readers.stop().await;
}

#[tokio::test]
async fn a_deleted_workspace_keeps_ids_and_times_only_and_is_nobodys() {
    let harness = LogHarness::new().await;
    record(&harness, workspace(11), founded(1)).await;
    let asked = WorkspaceEvent::DeletionRequested { requested_at: time(1), due: time(2) };
    let taken_back = WorkspaceEvent::DeletionCancelled {};
    let deleted = WorkspaceEvent::Deleted { requested_at: time(1) };
    record(&harness, workspace(11), vec![asked.clone(), taken_back, asked, deleted]).await;

    let readers = harness.read(projections::all()).await;
    harness.caught_up(READERS).await;

    assert!(mine(&harness, 1, None, 10).await.is_empty());
    let left = "select count(*) from read_models.workspaces_v3
        where name is null and deleted_at is not null and version = 6";
    assert_eq!(harness.count(left).await, 1);
    readers.stop().await;
}

#[tokio::test]
async fn a_workspace_that_nobody_owns_is_restricted_until_somebody_does() {
    let harness = LogHarness::new().await;
    let joined = WorkspaceEvent::MemberJoined { account: account(2), role: Role::Viewer };
    let left = WorkspaceEvent::MemberRemoved { account: account(1) };
    let owned =
        WorkspaceEvent::RoleChanged { account: account(2), from: Role::Viewer, to: Role::Owner };
    let deleting = WorkspaceEvent::DeletionRequested { requested_at: time(1), due: time(9) };
    let hastened = WorkspaceEvent::DeletionHastened { due: time(8) };
    let nobodys = [founded(1), vec![joined, left, WorkspaceEvent::Restricted {}]].concat();
    let joins = WorkspaceEvent::MemberJoined { account: account(3), role: Role::Owner };
    for (of, then) in
        [(11, vec![]), (12, vec![owned]), (13, vec![deleting, hastened]), (15, vec![joins])]
    {
        record(&harness, workspace(of), nobodys.clone()).await;
        record(&harness, workspace(of), then).await;
    }
    record(&harness, workspace(14), nobodys).await;

    let readers = harness.read(projections::all()).await;
    harness.caught_up(READERS).await;

    let found = mine(&harness, 2, None, 10).await;
    let shown: Vec<bool> = found.iter().map(|mine| mine.restricted).collect();
    assert_eq!(shown, [true, false, false, false, true]);
    assert_eq!(found[2].deletion_due, Some(time(8)));
    let first = restricted(&harness.pool, None, 1).await.unwrap().remove(0);
    assert_eq!((first.workspace, first.members, first.version), (workspace(11), 1, 5));
    let after = Some((first.since, first.workspace));
    let rest = restricted(&harness.pool, after, 9).await.unwrap();
    let rest: Vec<WorkspaceId> = rest.iter().map(|found| found.workspace).collect();
    assert_eq!(rest, [workspace(14)]);
    assert_eq!(count_restricted(&harness.pool).await.unwrap(), Some(2));
    readers.stop().await;
}

#[tokio::test]
async fn members_come_and_go_and_come_again() {
    let harness = LogHarness::new().await;
    record(&harness, workspace(11), founded(1)).await;
    let joined = WorkspaceEvent::MemberJoined { account: account(2), role: Role::Viewer };
    let left = WorkspaceEvent::MemberRemoved { account: account(2) };
    record(&harness, workspace(11), vec![joined.clone(), left, joined]).await;

    let readers = harness.read(projections::all()).await;
    harness.caught_up(READERS).await;

    let found = mine(&harness, 2, None, 10).await;
    assert_eq!((found.len(), found[0].joined_at, found[0].members), (1, time(5), 2));
    readers.stop().await;
}
