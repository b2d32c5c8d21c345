//! Who inherits, and what a workspace without an owner still does.

use proptest::prelude::*;

use super::super::{Actor, WorkspaceAction};
use super::*;

fn agree(by: AccountId) -> WorkspaceCommand {
    WorkspaceCommand::AgreeSuccession { by }
}

fn withdraw(by: AccountId) -> WorkspaceCommand {
    WorkspaceCommand::WithdrawSuccession { by }
}

fn erase(member: AccountId, heir: Option<AccountId>) -> WorkspaceCommand {
    WorkspaceCommand::RemoveErasedMember { member, heir }
}

fn agreed(account: AccountId) -> WorkspaceEvent {
    WorkspaceEvent::SuccessionAgreed { account }
}

fn owned(account: AccountId, from: Role) -> WorkspaceEvent {
    WorkspaceEvent::RoleChanged { account, from, to: Role::Owner }
}

fn removed(account: AccountId) -> WorkspaceEvent {
    WorkspaceEvent::MemberRemoved { account }
}

/// Bob and Eve are left, Ada is erased.
fn restricted(bob: Role, eve: Role) -> Vec<WorkspaceEvent> {
    let left = vec![joined(EVE, eve), removed(ADA), WorkspaceEvent::Restricted {}];
    [with_bob(bob), left].concat()
}

fn then(
    given: &[WorkspaceEvent],
    when: WorkspaceCommand,
    expected: Result<Vec<WorkspaceEvent>, WorkspaceError>,
) {
    let when = Workspaces::with(()).given(given.to_vec()).when(when);
    match expected {
        Ok(events) => when.then_expect_events(events),
        Err(error) => when.then_expect_error(error),
    }
}

#[test]
fn only_an_admin_agrees_to_inherit_and_may_withdraw_it() {
    let admin = with_bob(Role::Admin);
    then(&admin, agree(BOB), Ok(vec![agreed(BOB)]));
    then(&admin, agree(ADA), Err(WorkspaceError::OwnsAlready));
    then(&admin, agree(EVE), Err(WorkspaceError::NotAMember));
    for role in [Role::Operator, Role::Viewer, Role::Billing, Role::Auditor] {
        let needs = WorkspaceError::NeedsRight(Right::ManageMembers);
        then(&with_bob(role), agree(BOB), Err(needs));
    }

    let has_agreed = [admin.clone(), vec![agreed(BOB)]].concat();
    then(&has_agreed, agree(BOB), Ok(vec![]));
    let withdrawn = WorkspaceEvent::SuccessionWithdrawn { account: BOB };
    then(&has_agreed, withdraw(BOB), Ok(vec![withdrawn.clone()]));
    then(&[has_agreed, vec![withdrawn]].concat(), withdraw(BOB), Ok(vec![]));
    then(&[admin, vec![requested()]].concat(), agree(BOB), Err(WorkspaceError::DeletionRequested));
}

#[test]
fn an_heir_who_has_agreed_inherits_from_the_last_owner() {
    let given = [with_bob(Role::Admin), vec![joined(EVE, Role::Owner), agreed(BOB)]].concat();
    then(&given, erase(ADA, Some(BOB)), Ok(vec![removed(ADA)]));
    let alone = [given, vec![removed(EVE)]].concat();
    then(&alone, erase(ADA, Some(BOB)), Ok(vec![owned(BOB, Role::Admin), removed(ADA)]));
    then(&alone, erase(BOB, None), Ok(vec![removed(BOB)]));
    let inherited = [alone, vec![owned(BOB, Role::Admin), removed(ADA)]].concat();
    then(&inherited, erase(ADA, None), Ok(vec![]));
    then(&inherited, erase(BOB, None), Err(WorkspaceError::LastMember));
}

#[test]
fn whoever_has_not_agreed_or_is_no_admin_any_more_does_not_inherit() {
    let lowered = |to| WorkspaceEvent::RoleChanged { account: BOB, from: Role::Admin, to };
    let raised = WorkspaceEvent::RoleChanged { account: BOB, from: Role::Viewer, to: Role::Admin };
    let withdrawn = WorkspaceEvent::SuccessionWithdrawn { account: BOB };
    for then_came in [
        vec![],
        vec![agreed(BOB), withdrawn],
        vec![agreed(BOB), lowered(Role::Viewer)],
        vec![agreed(BOB), lowered(Role::Viewer), raised],
        vec![agreed(BOB), removed(BOB), joined(BOB, Role::Admin)],
    ] {
        let given = [with_bob(Role::Admin), then_came].concat();
        then(&given, erase(ADA, Some(BOB)), Err(WorkspaceError::NotAnHeir));
        let remain = WorkspaceCommand::RemainHeir { account: BOB };
        then(&given, remain, Err(WorkspaceError::NotAnHeir));
        then(&given, erase(ADA, None), Ok(vec![removed(ADA), WorkspaceEvent::Restricted {}]));
    }
}

#[test]
fn nobody_inherits_a_workspace_that_is_being_deleted() {
    let deleting = [with_bob(Role::Admin), vec![agreed(BOB), requested()]].concat();
    for heir in [None, Some(BOB)] {
        then(&deleting, erase(ADA, heir), Ok(vec![removed(ADA)]));
    }
    let nobodys = [deleting, vec![removed(ADA)]].concat();
    let appoint = WorkspaceCommand::AppointOwner { member: BOB };
    for command in [agree(BOB), appoint] {
        then(&nobodys, command, Err(WorkspaceError::DeletionRequested));
    }
}

#[test]
fn in_a_restricted_workspace_nothing_begins_and_what_is_there_goes_on() {
    let given = restricted(Role::Admin, Role::Viewer);
    let lowers = WorkspaceCommand::ChangeRole { by: BOB, member: EVE, role: Role::Operator };
    let renames = WorkspaceCommand::Rename { by: BOB, name: name() };
    let begins = WorkspaceCommand::BeginRun { requester: Some(ADA) };
    for command in [lowers, renames, begins] {
        then(&given, command, Err(WorkspaceError::Restricted));
    }
    let by = Actor::Member(BOB);
    let act = |action| {
        let action = Some(action);
        WorkspaceCommand::Act { by, action, also: None, now: now() }
    };
    then(&given, act(WorkspaceAction::StartRun), Err(WorkspaceError::Restricted));
    then(&given, act(WorkspaceAction::CancelRun), Ok(vec![]));
    then(&given, act(WorkspaceAction::ListMembers), Ok(vec![]));
    let removes = WorkspaceCommand::RemoveMember { by: BOB, member: EVE, now: now() };
    then(&given, removes, Ok(vec![removed(EVE)]));
}

#[test]
fn an_admin_who_agrees_owns_a_restricted_workspace_at_once() {
    let given = restricted(Role::Admin, Role::Viewer);
    let needs = WorkspaceError::NeedsRight(Right::ManageMembers);
    then(&given, agree(EVE), Err(needs));
    then(&given, agree(BOB), Ok(vec![agreed(BOB), owned(BOB, Role::Admin)]));
    // Whoever was passed over, since an erasure waited that was then cancelled, has agreed already.
    let passed_over = [with_bob(Role::Admin), vec![agreed(BOB), joined(EVE, Role::Viewer)]];
    let left = vec![removed(ADA), WorkspaceEvent::Restricted {}];
    let given = [passed_over.concat(), left].concat();
    then(&given, agree(BOB), Ok(vec![owned(BOB, Role::Admin)]));
    let renames = WorkspaceCommand::Rename { by: BOB, name: name() };
    let again = [given, vec![owned(BOB, Role::Admin)]].concat();
    then(&again, renames, Ok(vec![WorkspaceEvent::Renamed { name: name() }]));
}

#[test]
fn an_operator_appoints_any_member_and_only_where_nobody_owns_it() {
    let appoint = |member| WorkspaceCommand::AppointOwner { member };
    let given = restricted(Role::Viewer, Role::Auditor);
    then(&given, appoint(EVE), Ok(vec![owned(EVE, Role::Auditor)]));
    then(&given, appoint(ADA), Err(WorkspaceError::NotAMember));
    then(&with_bob(Role::Admin), appoint(BOB), Err(WorkspaceError::NotRestricted));
}

#[test]
fn the_last_who_leaves_a_restricted_workspace_leaves_it_to_be_deleted() {
    let leave = |member| WorkspaceCommand::RemoveMember { by: member, member, now: now() };
    let given = restricted(Role::Admin, Role::Viewer);
    then(&given, leave(BOB), Ok(vec![removed(BOB)]));
    let alone = [given, vec![removed(BOB)]].concat();
    let due_in =
        |days| WorkspaceEvent::DeletionRequested { requested_at: now(), due: in_days(days) };
    then(&alone, leave(EVE), Ok(vec![removed(EVE), due_in(30)]));
    let abandon = |member| WorkspaceCommand::Abandon { member, now: now() };
    then(&alone, abandon(EVE), Ok(vec![due_in(1)]));
    then(&created(), abandon(ADA), Ok(vec![due_in(0)]));
}

#[test]
fn an_owner_who_has_removed_the_others_leaves_them_their_day() {
    let alone = [with_bob(Role::Owner), vec![removed(BOB)]].concat();
    let abandon = WorkspaceCommand::Abandon { member: ADA, now: now() };
    let requested = WorkspaceEvent::DeletionRequested { requested_at: now(), due: in_days(1) };
    then(&alone, abandon, Ok(vec![requested]));
}

#[test]
fn admins_of_a_restricted_workspace_do_not_remove_each_other() {
    let removes = |member| WorkspaceCommand::RemoveMember { by: BOB, member, now: now() };
    let given = restricted(Role::Admin, Role::Admin);
    then(&given, removes(EVE), Err(WorkspaceError::OwnersOnly));
    then(&given, removes(BOB), Ok(vec![removed(BOB)]));
    let owned = [with_bob(Role::Admin), vec![joined(EVE, Role::Admin)]].concat();
    then(&owned, removes(EVE), Ok(vec![removed(EVE)]));
}

#[test]
fn an_operator_keeps_a_workspace_for_a_member_or_whoever_was_one_before() {
    let keep = |owner, role_before, now| WorkspaceCommand::Keep { owner, role_before, now };
    let cancelled = WorkspaceEvent::DeletionCancelled {};
    let left = [with_bob(Role::Admin), vec![removed(BOB), requested()]].concat();
    let rejoins = joined(BOB, Role::Owner);
    let before = Some(Role::Admin);
    then(&left, keep(BOB, before, now()), Ok(vec![rejoins, cancelled.clone()]));
    then(&left, keep(EVE, None, now()), Err(WorkspaceError::NotAMember));
    then(&left, keep(BOB, before, in_days(7)), Err(WorkspaceError::GraceOver(in_days(7))));
    let there = [with_bob(Role::Admin), vec![requested()]].concat();
    let raised = vec![owned(BOB, Role::Admin), cancelled.clone()];
    then(&there, keep(BOB, None, now()), Ok(raised));
    then(&there, keep(ADA, None, now()), Ok(vec![cancelled]));
    let nothing = WorkspaceError::DeletionNotRequested;
    then(&with_bob(Role::Admin), keep(BOB, None, now()), Err(nothing));
}

fn anybody() -> impl Strategy<Value = AccountId> {
    prop_oneof![Just(ADA), Just(BOB), Just(EVE)]
}

fn any_role() -> impl Strategy<Value = Role> {
    prop_oneof![Just(Role::Owner), Just(Role::Admin), Just(Role::Viewer)]
}

fn any_command() -> impl Strategy<Value = WorkspaceCommand> {
    let member = (anybody(), anybody());
    prop_oneof![
        (anybody(), anybody(), any_role())
            .prop_map(|(by, member, role)| { WorkspaceCommand::ChangeRole { by, member, role } }),
        member.prop_map(|(by, member)| WorkspaceCommand::RemoveMember { by, member, now: now() }),
        (anybody(), proptest::option::of(anybody())).prop_map(|(member, heir)| erase(member, heir)),
        anybody().prop_map(agree),
        anybody().prop_map(withdraw),
        anybody().prop_map(|member| WorkspaceCommand::AppointOwner { member }),
        anybody().prop_map(request_of),
        anybody().prop_map(|by| WorkspaceCommand::CancelDeletion { by, now: in_days(1) }),
        anybody().prop_map(|member| WorkspaceCommand::Abandon { member, now: now() }),
        (anybody(), proptest::option::of(any_role())).prop_map(|(owner, role_before)| {
            WorkspaceCommand::Keep { owner, role_before, now: now() }
        }),
    ]
}

fn request_of(by: AccountId) -> WorkspaceCommand {
    WorkspaceCommand::RequestDeletion { by, now: now(), due: in_days(7), requested_before: vec![] }
}

proptest! {
    /// What a reader makes of the events (restricted, and owned again) is what the aggregate decides by.
    #[test]
    fn a_workspace_always_has_an_owner_or_is_restricted_or_is_being_deleted(
        commands in proptest::collection::vec(any_command(), 1..40),
    ) {
        let mut workspace = Workspace::default();
        let mut is_told = false;
        let eve = joined(EVE, Role::Admin);
        for event in with_bob(Role::Admin).into_iter().chain([eve]) {
            cqrs_es::Aggregate::apply(&mut workspace, event);
        }
        for command in commands {
            for event in workspace.decide(command).unwrap_or_default() {
                is_told |= event == WorkspaceEvent::Restricted {};
                is_told &= !matches!(
                    event,
                    WorkspaceEvent::RoleChanged { to: Role::Owner, .. }
                        | WorkspaceEvent::MemberJoined { role: Role::Owner, .. }
                );
                cqrs_es::Aggregate::apply(&mut workspace, event);
            }
            let live = workspace.live().unwrap();
            let is_owned = live.members.values().any(|role| *role == Role::Owner);
            prop_assert!(is_owned || is_told || live.deletion.is_some(), "{live:?}");
            prop_assert!(live.deletion.is_some() || is_told == live.is_restricted(), "{live:?}");
            prop_assert!(live.deletion.is_some() || !live.members.is_empty(), "{live:?}");
            let admins = live.heirs.iter().all(|heir| live.members.get(heir) == Some(&Role::Admin));
            prop_assert!(admins, "{live:?}");
        }
    }
}
