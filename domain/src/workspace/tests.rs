//! Given, when, then.
#![allow(clippy::unwrap_used, reason = "a test may")]

use cqrs_es::test::TestFramework;
use uuid::Uuid;

use super::{Right, Role, Workspace, WorkspaceCommand, WorkspaceError, WorkspaceEvent};
use crate::privacy::{Label, Personal, WorkspaceName};
use crate::{AccountId, Event, TenantId};

type Workspaces = TestFramework<Workspace>;

const ADA: AccountId = AccountId(Uuid::from_u128(1));

fn name() -> Personal<WorkspaceName> {
    Personal::Clear(Label::parse("Engines").unwrap())
}

fn create() -> WorkspaceCommand {
    WorkspaceCommand::Create { name: name(), owner: ADA }
}

fn created() -> Vec<WorkspaceEvent> {
    vec![
        WorkspaceEvent::Created { name: name() },
        WorkspaceEvent::MemberJoined { account: ADA, role: Role::Owner },
    ]
}

#[test]
fn whoever_creates_a_workspace_owns_it() {
    Workspaces::with(()).given_no_previous_events().when(create()).then_expect_events(created());
}

#[test]
fn a_workspace_is_created_once() {
    Workspaces::with(()).given(created()).when(create()).then_expect_error(WorkspaceError::Exists);
}

#[test]
fn every_event_is_about_the_workspace() {
    let tenant = TenantId(Uuid::from_u128(7));
    for event in created() {
        assert_eq!(event.about(tenant, Uuid::from_u128(8)).0, tenant.0);
    }
}

#[test]
fn an_owner_may_do_everything_and_every_right_is_somebodys() {
    assert!(Right::ALL.iter().all(|right| Role::Owner.may(*right)));
    assert!(!Role::Viewer.may(Right::StartRuns));
    assert!(!Role::Auditor.may(Right::ReadLogs));
}
