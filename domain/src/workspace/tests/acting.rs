//! Who acts, and whether they may: what the admission asks, and the guard of an append.

use super::super::{Acting, Actor, ApiToken, WorkspaceAction};
use super::*;

fn act(by: Actor, action: WorkspaceAction) -> WorkspaceCommand {
    WorkspaceCommand::Act { by, action: Some(action), also: None, now: now() }
}

/// Ada's, for a day.
fn with_token(rights: Vec<Right>) -> Vec<WorkspaceEvent> {
    let issued = WorkspaceEvent::ApiTokenIssued {
        token: TOKEN,
        account: ADA,
        rights,
        expires_at: in_days(1),
    };
    [with_bob(Role::Owner), vec![issued]].concat()
}

fn passes(given: &[WorkspaceEvent], command: WorkspaceCommand) {
    Workspaces::with(()).given(given.to_vec()).when(command).then_expect_events(vec![]);
}

fn refused(given: &[WorkspaceEvent], command: WorkspaceCommand, why: WorkspaceError) {
    Workspaces::with(()).given(given.to_vec()).when(command).then_expect_error(why);
}

#[test]
fn whoever_acts_belongs_to_the_workspace_and_has_the_right() {
    let (ada, bob) = (Actor::Member(ADA), Actor::Member(BOB));
    let given = with_bob(Role::Viewer);
    let needs = WorkspaceError::NeedsRight(Right::StartRuns);

    passes(&given, act(ada, WorkspaceAction::StartRun));
    refused(&given, act(bob, WorkspaceAction::StartRun), needs);
    passes(&given, act(bob, WorkspaceAction::ShowRun));
    refused(&given, act(Actor::Member(EVE), WorkspaceAction::ShowRun), WorkspaceError::NotAMember);
    refused(&[], act(ada, WorkspaceAction::StartRun), WorkspaceError::Unknown);
}

#[test]
fn a_token_does_what_its_member_and_its_scopes_both_allow_until_it_is_gone() {
    let token = Actor::Token(TOKEN, TOKEN.into());
    let given = with_token(vec![Right::StartRuns]);
    let start = || act(token, WorkspaceAction::StartRun);
    let then = |event| [given.clone(), vec![event]].concat();
    let lowered = |to| WorkspaceEvent::RoleChanged { account: ADA, from: Role::Owner, to };

    passes(&given, start());
    let needs = WorkspaceError::NeedsRight(Right::ReadRuns);
    refused(&given, act(token, WorkspaceAction::ShowRun), needs);
    let needs = WorkspaceError::NeedsRight(Right::StartRuns);
    refused(&then(lowered(Role::Viewer)), start(), needs);
    for gone in [
        WorkspaceEvent::ApiTokenRevoked { token: TOKEN },
        WorkspaceEvent::MemberRemoved { account: ADA },
    ] {
        refused(&then(gone), start(), WorkspaceError::TokenGone);
    }
    let late = WorkspaceCommand::Act { by: token, action: None, also: None, now: in_days(1) };
    refused(&given, late, WorkspaceError::TokenGone);
}

#[test]
fn a_run_begins_while_whoever_requested_it_may_start_runs() {
    let begins = |requester| WorkspaceCommand::BeginRun { requester };
    for role in Role::ALL {
        let given = with_bob(*role);
        if role.may(Right::StartRuns) {
            passes(&given, begins(Some(BOB)));
        } else {
            let needs = WorkspaceError::NeedsRight(Right::StartRuns);
            refused(&given, begins(Some(BOB)), needs);
        }
        passes(&given, begins(Some(ADA)));
        passes(&given, begins(None));
    }
    let left = WorkspaceEvent::MemberRemoved { account: BOB };
    let given = [with_bob(Role::Operator), vec![left]].concat();
    refused(&given, begins(Some(BOB)), WorkspaceError::NotAMember);
    passes(&given, begins(Some(ADA)));
    let revoked = WorkspaceEvent::ApiTokenRevoked { token: TOKEN };
    let given = [with_token(vec![Right::StartRuns]), vec![revoked]].concat();
    passes(&given, begins(Some(ADA)));
}

#[test]
fn what_starts_something_is_refused_in_the_grace() {
    let given = [created(), vec![requested()]].concat();
    let ada = Actor::Member(ADA);
    refused(&given, act(ada, WorkspaceAction::StartRun), WorkspaceError::DeletionRequested);
    passes(&given, act(ada, WorkspaceAction::ShowRun));
    passes(&given, act(ada, WorkspaceAction::CancelDeletion));
}

#[test]
fn a_right_beside_that_of_the_action_is_needed_as_well() {
    let given = with_bob(Role::Operator);
    let release = |by, also| {
        let action = Some(WorkspaceAction::ReleaseLease);
        WorkspaceCommand::Act { by: Actor::Member(by), action, also, now: now() }
    };
    passes(&given, release(BOB, None));
    let needs = WorkspaceError::NeedsRight(Right::ManageMembers);
    refused(&given, release(BOB, Some(Right::ManageMembers)), needs);
    passes(&given, release(ADA, Some(Right::ManageMembers)));
}

#[test]
fn without_an_action_it_is_enough_to_belong_to_the_workspace() {
    let leave =
        WorkspaceCommand::Act { by: Actor::Member(BOB), action: None, also: None, now: now() };
    passes(&with_bob(Role::Viewer), leave.clone());
    refused(&created(), leave, WorkspaceError::NotAMember);
}

#[test]
fn an_owner_remains_one_until_the_role_is_lowered() {
    let remain = WorkspaceCommand::RemainOwner { account: BOB };
    passes(&with_bob(Role::Owner), remain.clone());
    refused(&with_bob(Role::Admin), remain.clone(), WorkspaceError::LastOwner);
    refused(&created(), remain, WorkspaceError::LastOwner);
}

#[test]
fn ownership_is_shared_among_owners_only_in_the_grace_too() {
    let shares = |account| WorkspaceCommand::SharesNoOwnership { account };
    for deleting in [vec![], vec![requested()]] {
        let given = |members: Vec<WorkspaceEvent>| [members, deleting.clone()].concat();
        passes(&given(created()), shares(ADA));
        passes(&given(with_bob(Role::Admin)), shares(ADA));
        passes(&given(with_bob(Role::Admin)), shares(BOB));
        passes(&given(created()), shares(BOB));
        refused(&given(with_bob(Role::Owner)), shares(ADA), WorkspaceError::LastOwner);
        refused(&given(with_bob(Role::Owner)), shares(BOB), WorkspaceError::LastOwner);
    }
}

#[test]
fn others_depend_on_an_owner_unless_the_workspace_is_being_deleted() {
    let nobody = |on| WorkspaceCommand::NobodyDepends { on };
    refused(&with_bob(Role::Viewer), nobody(ADA), WorkspaceError::LastOwner);
    passes(&with_bob(Role::Viewer), nobody(BOB));
    passes(&created(), nobody(ADA));
    let deleting = [with_bob(Role::Viewer), vec![requested()]].concat();
    passes(&deleting, nobody(ADA));
    let cancelled = [deleting, vec![WorkspaceEvent::DeletionCancelled {}]].concat();
    refused(&cancelled, nobody(ADA), WorkspaceError::LastOwner);
    let deleted = [created(), vec![WorkspaceEvent::Deleted { requested_at: now() }]].concat();
    passes(&deleted, nobody(ADA));
}

#[test]
fn a_token_acts_until_its_end_while_its_member_belongs() {
    let mut live = live(1);
    let token = ApiToken::issued(TOKEN, ADA, [Right::ReadRuns].into(), in_days(1));
    live.tokens.insert(TOKEN, token);
    let by = Actor::Token(TOKEN, TOKEN.into());
    let acting = |live: &LiveWorkspace, at| Workspace::Live(Box::new(live.clone())).acting(by, at);
    let scopes = Some([Right::ReadRuns].into());
    let ada = Acting { account: ADA, role: Role::Owner, is_service_account: false, scopes };
    assert_eq!(acting(&live, now()), Ok(ada));
    assert_eq!(acting(&live, in_days(1)), Err(WorkspaceError::TokenGone));
    live.members.clear();
    assert_eq!(acting(&live, now()), Err(WorkspaceError::TokenGone));
    assert_eq!(Workspace::Ended.acting(by, now()), Err(WorkspaceError::Unknown));
}
