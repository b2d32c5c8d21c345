//! Members without a person.

use super::super::{Acting, Actor, SERVICE_ACCOUNTS_MAX, ServiceAccount};
use super::*;
use crate::privacy::ServiceAccountName;

const ROBOT: AccountId = AccountId(Uuid::from_u128(9));
const SECOND: ApiTokenSecretId = ApiTokenSecretId(Uuid::from_u128(32));

fn called() -> Personal<ServiceAccountName> {
    Personal::Clear(Label::parse("deploys").unwrap())
}

fn create(by: AccountId, role: Role) -> WorkspaceCommand {
    WorkspaceCommand::CreateServiceAccount { by, account: ROBOT, name: called(), role }
}

fn made(role: Role) -> WorkspaceEvent {
    WorkspaceEvent::ServiceAccountCreated { account: ROBOT, name: called(), role }
}

fn issue(by: AccountId, rights: &[Right]) -> WorkspaceCommand {
    let (rights, expires_at) = (rights.to_vec(), in_days(30));
    let account = ROBOT;
    WorkspaceCommand::IssueApiToken { by, account, token: TOKEN, rights, now: now(), expires_at }
}

fn issued(rights: &[Right]) -> WorkspaceEvent {
    let (rights, expires_at) = (rights.to_vec(), in_days(30));
    WorkspaceEvent::ApiTokenIssued { token: TOKEN, account: ROBOT, rights, expires_at }
}

/// Ada owns it, Bob is an admin, and a service account in this role has a token with these rights.
fn given(role: Role, rights: &[Right]) -> Vec<WorkspaceEvent> {
    [with_bob(Role::Admin), vec![made(role), issued(rights)]].concat()
}

fn state(of: &[WorkspaceEvent]) -> Workspace {
    let mut workspace = Workspace::default();
    for event in of {
        cqrs_es::Aggregate::apply(&mut workspace, event.clone());
    }
    workspace
}

fn refused(given: Vec<WorkspaceEvent>, command: WorkspaceCommand, why: WorkspaceError) {
    Workspaces::with(()).given(given).when(command).then_expect_error(why);
}

#[test]
fn whoever_manages_members_makes_one_which_is_no_owner() {
    Workspaces::with(())
        .given(with_bob(Role::Admin))
        .when(create(BOB, Role::Operator))
        .then_expect_events(vec![made(Role::Operator)]);
    let needs = WorkspaceError::NeedsRight(Right::ManageMembers);
    refused(with_bob(Role::Operator), create(BOB, Role::Viewer), needs);
    refused(created(), create(ADA, Role::Owner), WorkspaceError::ServiceAccountOwns);
    let deleting = [created(), vec![requested()]].concat();
    refused(deleting, create(ADA, Role::Viewer), WorkspaceError::DeletionRequested);
    let mut full = live(1);
    let of = ServiceAccount { name: Personal::Apart, role: Role::Viewer };
    let ids = (0..SERVICE_ACCOUNTS_MAX).map(|n| AccountId(Uuid::from_u128(n as u128 + 100)));
    full.service_accounts = ids.map(|id| (id, of.clone())).collect();
    let full = Workspace::Live(Box::new(full));
    let max = WorkspaceError::ServiceAccountsMax(SERVICE_ACCOUNTS_MAX);
    assert_eq!(full.decide(create(ADA, Role::Viewer)), Err(max));
}

#[test]
fn its_token_has_rights_that_its_issuer_and_its_role_have() {
    let with_robot = |role| [with_bob(Role::Admin), vec![made(role)]].concat();
    Workspaces::with(())
        .given(with_robot(Role::Operator))
        .when(issue(BOB, &[Right::StartRuns]))
        .then_expect_events(vec![issued(&[Right::StartRuns])]);
    let needs = WorkspaceError::NeedsRight(Right::ManageBilling);
    refused(with_robot(Role::Billing), issue(BOB, &[Right::ManageBilling]), needs);
    let lacks = WorkspaceError::ServiceAccountLacks(Right::StartRuns);
    refused(with_robot(Role::Viewer), issue(ADA, &[Right::StartRuns]), lacks);
    let none = WorkspaceError::NoSuchServiceAccount;
    refused(created(), issue(ADA, &[Right::ReadRuns]), none);
    let for_bob = WorkspaceCommand::IssueApiToken {
        by: ADA,
        account: BOB,
        token: TOKEN,
        rights: vec![Right::ReadRuns],
        now: now(),
        expires_at: in_days(1),
    };
    refused(with_bob(Role::Admin), for_bob, none);
}

#[test]
fn its_token_acts_as_its_role_is_now_and_ends_with_it() {
    let given = given(Role::Operator, &[Right::StartRuns, Right::ReadRuns]);
    let acting =
        |events: &[WorkspaceEvent]| state(events).acting(Actor::Token(TOKEN, TOKEN.into()), now());
    let scopes = Some([Right::StartRuns, Right::ReadRuns].into());
    let robot = Acting { account: ROBOT, role: Role::Operator, is_service_account: true, scopes };
    assert_eq!(acting(&given), Ok(robot.clone()));

    let lower = WorkspaceCommand::ChangeRole { by: BOB, member: ROBOT, role: Role::Viewer };
    let lowered = WorkspaceEvent::ServiceAccountRoleChanged {
        account: ROBOT,
        from: Role::Operator,
        to: Role::Viewer,
    };
    Workspaces::with(()).given(given.clone()).when(lower).then_expect_events(vec![lowered.clone()]);
    let after = [given.clone(), vec![lowered]].concat();
    let viewer = acting(&after).unwrap();
    assert_eq!(viewer, Acting { role: Role::Viewer, ..robot });
    assert!(viewer.needs(Right::StartRuns).is_err() && viewer.needs(Right::ReadRuns).is_ok());

    let remove = |by| WorkspaceCommand::RemoveMember { by, member: ROBOT, now: now() };
    let removed = vec![
        WorkspaceEvent::ApiTokenRevoked { token: TOKEN },
        WorkspaceEvent::ServiceAccountRemoved { account: ROBOT },
    ];
    Workspaces::with(())
        .given([given.clone(), vec![requested()]].concat())
        .when(remove(BOB))
        .then_expect_events(removed.clone());
    assert_eq!(acting(&[given.clone(), removed].concat()), Err(WorkspaceError::TokenGone));
    let viewer = WorkspaceEvent::RoleChanged { account: BOB, from: Role::Admin, to: Role::Viewer };
    let needs = WorkspaceError::NeedsRight(Right::ManageMembers);
    refused([given, vec![viewer]].concat(), remove(BOB), needs);
}

#[test]
fn its_role_is_changed_by_whoever_manages_members_and_never_to_an_owner() {
    let given = given(Role::Operator, &[Right::ReadRuns]);
    let change = |by, role| WorkspaceCommand::ChangeRole { by, member: ROBOT, role };
    Workspaces::with(())
        .given(given.clone())
        .when(change(ADA, Role::Operator))
        .then_expect_events(vec![]);
    refused(given.clone(), change(ADA, Role::Owner), WorkspaceError::ServiceAccountOwns);
    refused(given, change(EVE, Role::Viewer), WorkspaceError::NotAMember);
}

#[test]
fn whoever_manages_tokens_rotates_one_of_it_within_their_own_rights() {
    let rotate = |by| WorkspaceCommand::RotateApiToken {
        by,
        token: TOKEN,
        secret: SECOND,
        now: now(),
        overlap: TimeDelta::zero(),
        expires_at: None,
    };
    let rotated = WorkspaceEvent::ApiTokenRotated {
        token: TOKEN,
        secret: SECOND,
        former_until: now(),
        expires_at: in_days(30),
    };
    Workspaces::with(())
        .given(given(Role::Operator, &[Right::StartRuns]))
        .when(rotate(BOB))
        .then_expect_events(vec![rotated]);
    let needs = WorkspaceError::NeedsRight(Right::ManageBilling);
    refused(given(Role::Billing, &[Right::ManageBilling]), rotate(BOB), needs);
}

/// Nobody is left who could do anything about the workspace.
#[test]
fn a_workspace_of_one_person_and_service_accounts_is_a_workspace_of_one() {
    let given = [created(), vec![made(Role::Admin), issued(&[Right::ReadRuns])]].concat();
    let workspace = state(&given);
    assert!(!workspace.live().unwrap().depends_on(ADA));
    assert!(!workspace.live().unwrap().was_shared);
    assert_eq!(workspace.role_of(ROBOT), None);
    let removes = WorkspaceCommand::RemoveErasedMember { member: ADA, heir: None };
    refused(given.clone(), removes, WorkspaceError::LastMember);
    let abandons = WorkspaceCommand::Abandon { member: ADA, now: now() };
    let revoked = WorkspaceEvent::ApiTokenRevoked { token: TOKEN };
    let at_once = WorkspaceEvent::DeletionRequested { requested_at: now(), due: now() };
    Workspaces::with(())
        .given(given.clone())
        .when(abandons)
        .then_expect_events(vec![revoked, at_once]);
    let appoints = WorkspaceCommand::AppointOwner { member: ROBOT };
    refused(given.clone(), appoints, WorkspaceError::NotAMember);
    let keeps = WorkspaceCommand::Keep { owner: ROBOT, role_before: None, now: now() };
    refused([given, vec![requested()]].concat(), keeps, WorkspaceError::NotAMember);
}

#[test]
fn the_last_to_leave_a_restricted_workspace_leaves_no_token_that_works() {
    let restricted = [
        with_bob(Role::Viewer),
        vec![
            made(Role::Operator),
            issued(&[Right::ReadRuns]),
            WorkspaceEvent::MemberRemoved { account: ADA },
            WorkspaceEvent::Restricted {},
        ],
    ];
    let leaves = WorkspaceCommand::RemoveMember { by: BOB, member: BOB, now: now() };
    Workspaces::with(()).given(restricted.concat()).when(leaves).then_expect_events(vec![
        WorkspaceEvent::MemberRemoved { account: BOB },
        WorkspaceEvent::ApiTokenRevoked { token: TOKEN },
        WorkspaceEvent::DeletionRequested { requested_at: now(), due: in_days(30) },
    ]);
}

#[test]
fn the_last_to_leave_a_workspace_that_is_being_deleted_leaves_no_token_that_works() {
    let ada_is_gone = WorkspaceEvent::MemberRemoved { account: ADA };
    let token = issued(&[Right::ReadRuns]);
    let deleting = vec![made(Role::Operator), token, requested(), ada_is_gone];
    let leaves = WorkspaceCommand::RemoveMember { by: BOB, member: BOB, now: now() };
    Workspaces::with(())
        .given([with_bob(Role::Viewer), deleting].concat())
        .when(leaves)
        .then_expect_events(vec![
            WorkspaceEvent::MemberRemoved { account: BOB },
            WorkspaceEvent::ApiTokenRevoked { token: TOKEN },
        ]);
}

#[test]
fn a_run_of_one_begins_while_it_is_there_and_its_role_starts_runs() {
    let begins = || WorkspaceCommand::BeginRun { requester: Some(ROBOT) };
    let given = || given(Role::Operator, &[Right::StartRuns]);
    let then = |event: WorkspaceEvent| [given(), vec![event]].concat();
    Workspaces::with(()).given(given()).when(begins()).then_expect_events(vec![]);
    let revoked = WorkspaceEvent::ApiTokenRevoked { token: TOKEN };
    Workspaces::with(()).given(then(revoked)).when(begins()).then_expect_events(vec![]);
    let (account, from, to) = (ROBOT, Role::Operator, Role::Viewer);
    let lowered = WorkspaceEvent::ServiceAccountRoleChanged { account, from, to };
    let needs = WorkspaceError::NeedsRight(Right::StartRuns);
    refused(then(lowered), begins(), needs);
    let removed = WorkspaceEvent::ServiceAccountRemoved { account };
    refused(then(removed), begins(), WorkspaceError::NotAMember);
}
