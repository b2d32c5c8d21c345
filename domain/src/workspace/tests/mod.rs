mod acting;
mod deletion;
mod hastening;
mod invitations;
mod members;
mod rotation;
mod service_accounts;
mod succession;
mod tokens;

use chrono::{DateTime, TimeDelta, Utc};
use cqrs_es::test::TestFramework;
use uuid::Uuid;

use super::{
    Deletion, Hastening, LiveWorkspace, Right, Role, Workspace, WorkspaceCommand, WorkspaceError,
    WorkspaceEvent,
};
use crate::privacy::{EmailAddress, InvitationEmail, Label, Personal, Purpose, WorkspaceName};
use crate::{
    AccountId, AggregateRoot, ApiTokenId, ApiTokenSecretId, Event, InvitationId, TenantId,
};

type Workspaces = TestFramework<Workspace>;

const ADA: AccountId = AccountId(Uuid::from_u128(1));
const BOB: AccountId = AccountId(Uuid::from_u128(2));
const EVE: AccountId = AccountId(Uuid::from_u128(3));
const INVITATION: InvitationId = InvitationId(Uuid::from_u128(11));
const LATER: InvitationId = InvitationId(Uuid::from_u128(12));
const TOKEN: ApiTokenId = ApiTokenId(Uuid::from_u128(21));

fn now() -> DateTime<Utc> {
    DateTime::from_timestamp(1_800_000_000, 0).unwrap()
}

fn in_days(days: i64) -> DateTime<Utc> {
    now() + TimeDelta::days(days)
}

fn name() -> Personal<WorkspaceName> {
    Personal::Clear(Label::parse("Engines").unwrap())
}

fn email() -> Personal<InvitationEmail> {
    Personal::Clear(EmailAddress::parse("bob@example.org").unwrap())
}

fn create() -> WorkspaceCommand {
    WorkspaceCommand::Create { name: name(), owner: ADA }
}

fn joined(account: AccountId, role: Role) -> WorkspaceEvent {
    WorkspaceEvent::MemberJoined { account, role }
}

fn created() -> Vec<WorkspaceEvent> {
    vec![WorkspaceEvent::Created { name: name() }, joined(ADA, Role::Owner)]
}

/// Ada owns it, and Bob is in it.
fn with_bob(role: Role) -> Vec<WorkspaceEvent> {
    [created(), vec![joined(BOB, role)]].concat()
}

fn requested() -> WorkspaceEvent {
    WorkspaceEvent::DeletionRequested { requested_at: now(), due: in_days(7) }
}

/// A workspace of so many, without the events that led there.
fn live(members: usize) -> LiveWorkspace {
    let others = (0..members).map(|n| (AccountId(Uuid::from_u128(n as u128 + 1)), Role::Owner));
    LiveWorkspace {
        name: Personal::Apart,
        members: others.collect(),
        service_accounts: std::collections::BTreeMap::new(),
        heirs: Vec::new(),
        was_shared: members > 1,
        invitations: std::collections::BTreeMap::new(),
        tokens: std::collections::BTreeMap::new(),
        deletion: None,
        cancelled: Vec::new(),
    }
}

#[test]
fn whoever_creates_a_workspace_owns_it() {
    Workspaces::with(()).given_no_previous_events().when(create()).then_expect_events(created());
}

#[test]
fn a_workspace_is_created_once() {
    Workspaces::with(())
        .given(created())
        .when(create())
        .then_expect_error(WorkspaceError::AlreadyExists);
}

#[test]
fn nothing_is_asked_of_what_is_not_there() {
    let rename = WorkspaceCommand::Rename { by: ADA, name: name() };
    Workspaces::with(())
        .given_no_previous_events()
        .when(rename)
        .then_expect_error(WorkspaceError::Unknown);
}

#[test]
fn owners_and_admins_rename_it() {
    for (role, may) in [(Role::Admin, true), (Role::Operator, false)] {
        let renames = Workspaces::with(()).given(with_bob(role));
        let renames = renames.when(WorkspaceCommand::Rename { by: BOB, name: name() });
        if may {
            renames.then_expect_events(vec![WorkspaceEvent::Renamed { name: name() }]);
        } else {
            renames.then_expect_error(WorkspaceError::NeedsRight(Right::ManageWorkspace));
        }
    }
    let stranger = WorkspaceCommand::Rename { by: EVE, name: name() };
    Workspaces::with(())
        .given(created())
        .when(stranger)
        .then_expect_error(WorkspaceError::NotAMember);
}

#[test]
fn every_event_is_about_the_workspace_but_an_invitation_is_about_the_invited() {
    let tenant = TenantId(Uuid::from_u128(7));
    for event in created() {
        assert_eq!(event.subject(tenant, Uuid::from_u128(8)).0, tenant.0);
    }
    let invited = WorkspaceEvent::MemberInvited {
        invitation: INVITATION,
        email: email(),
        role: Role::Viewer,
        by: ADA,
        until: now(),
    };
    assert_eq!(invited.subject(tenant, Uuid::from_u128(8)).0, INVITATION.0);
}

#[test]
fn an_owner_may_do_everything_and_every_right_is_somebodys() {
    assert!(Right::ALL.iter().all(|right| Role::Owner.may(*right)));
    assert!(!Role::Viewer.may(Right::StartRuns));
    assert!(!Role::Auditor.may(Right::ReadLogs));
    assert!(Role::ALL.iter().all(|role| role.is_within(Role::Owner)));
    assert!(!Role::Billing.is_within(Role::Admin));
    for right in Right::ALL {
        assert_eq!(Right::named(right.as_str()), Some(*right));
    }
}
