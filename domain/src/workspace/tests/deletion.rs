//! Deletion.

use super::*;
use crate::workspace::WorkspaceAction;

fn request(by: AccountId, days: i64) -> WorkspaceCommand {
    WorkspaceCommand::RequestDeletion {
        by,
        now: now(),
        due: in_days(days),
        requested_before: vec![],
    }
}

fn given() -> Vec<WorkspaceEvent> {
    [with_bob(Role::Admin), vec![requested()]].concat()
}

#[test]
fn an_owner_asks_for_deletion_with_a_grace() {
    for days in [0, 7, 30] {
        let due = in_days(days);
        Workspaces::with(()).given(created()).when(request(ADA, days)).then_expect_events(vec![
            WorkspaceEvent::DeletionRequested { requested_at: now(), due },
        ]);
    }
    Workspaces::with(())
        .given(with_bob(Role::Admin))
        .when(request(BOB, 7))
        .then_expect_error(WorkspaceError::NeedsRight(Right::DeleteWorkspace));
    for days in [-1, 31] {
        Workspaces::with(())
            .given(created())
            .when(request(ADA, days))
            .then_expect_error(WorkspaceError::GraceOutOfRange);
    }
}

#[test]
fn where_others_belong_to_it_the_grace_is_a_day_at_least() {
    let given = || Workspaces::with(()).given(with_bob(Role::Viewer));
    given().when(request(ADA, 0)).then_expect_error(WorkspaceError::GraceNeeded);
    let due = in_days(1);
    let requested = WorkspaceEvent::DeletionRequested { requested_at: now(), due };
    given().when(request(ADA, 1)).then_expect_events(vec![requested]);
}

#[test]
fn whoever_removes_all_others_does_not_delete_it_without_a_grace() {
    let left = WorkspaceEvent::MemberRemoved { account: BOB };
    let given = || Workspaces::with(()).given([with_bob(Role::Owner), vec![left.clone()]].concat());
    given().when(request(ADA, 0)).then_expect_error(WorkspaceError::GraceNeeded);
    let due = in_days(1);
    let requested = WorkspaceEvent::DeletionRequested { requested_at: now(), due };
    given().when(request(ADA, 1)).then_expect_events(vec![requested]);
}

#[test]
fn until_it_is_cancelled_nothing_begins() {
    let lowers = WorkspaceCommand::ChangeRole { by: ADA, member: BOB, role: Role::Viewer };
    let begins = WorkspaceCommand::BeginRun { requester: Some(EVE) };
    for command in [request(ADA, 7), lowers, begins] {
        Workspaces::with(())
            .given(given())
            .when(command)
            .then_expect_error(WorkspaceError::DeletionRequested);
    }
    let live = LiveWorkspace {
        deletion: Some(Deletion { requested_at: now(), due: in_days(7) }),
        ..live(1)
    };
    let refused =
        Workspace::Live(Box::new(live)).decide(WorkspaceCommand::Rename { by: ADA, name: name() });
    assert_eq!(refused, Err(WorkspaceError::DeletionRequested));
}

#[test]
fn until_it_is_cancelled_rights_are_taken_away_and_whoever_wants_leaves() {
    let invited = WorkspaceEvent::MemberInvited {
        invitation: INVITATION,
        email: email(),
        role: Role::Viewer,
        by: ADA,
        until: in_days(7),
    };
    let issued = WorkspaceEvent::ApiTokenIssued {
        token: TOKEN,
        account: ADA,
        rights: vec![Right::ReadRuns],
        expires_at: in_days(7),
    };
    let given = [with_bob(Role::Admin), vec![invited, issued, requested()]].concat();
    let ends = |command, event| {
        Workspaces::with(()).given(given.clone()).when(command).then_expect_events(vec![event]);
    };
    let removed = WorkspaceEvent::MemberRemoved { account: BOB };
    for by in [ADA, BOB] {
        ends(WorkspaceCommand::RemoveMember { by, member: BOB, now: now() }, removed.clone());
    }
    let (by, invitation, token) = (ADA, INVITATION, TOKEN);
    let declines = WorkspaceCommand::DeclineInvitation { invitation };
    ends(declines, WorkspaceEvent::InvitationDeclined { invitation });
    let revokes = WorkspaceCommand::RevokeInvitation { by, invitation };
    ends(revokes, WorkspaceEvent::InvitationRevoked { invitation });
    let revokes = WorkspaceCommand::RevokeApiToken { by, token };
    ends(revokes, WorkspaceEvent::ApiTokenRevoked { token });
    Workspaces::with(())
        .given(given.clone())
        .when(WorkspaceCommand::RemoveMember { by, member: by, now: now() })
        .then_expect_error(WorkspaceError::LastOwner);
}

#[test]
fn until_it_is_cancelled_a_workspace_is_read_and_what_is_there_is_ended() {
    let others = [
        // What only reads, and has a right that also changes; and a request that is sent again.
        WorkspaceAction::ListApiTokens,
        WorkspaceAction::ShowApiToken,
        WorkspaceAction::RequestDeletion,
        WorkspaceAction::CancelDeletion,
        WorkspaceAction::HastenDeletion,
        WorkspaceAction::WithdrawSuccession,
        // What ends something.
        WorkspaceAction::RemoveMember,
        WorkspaceAction::RevokeInvitation,
        WorkspaceAction::RevokeApiToken,
        WorkspaceAction::ReleaseLease,
        WorkspaceAction::CancelRun,
    ];
    for action in WorkspaceAction::ALL {
        let reads = action.right().as_str().ends_with(":read");
        assert_eq!(action.allowed_in_grace(), reads || others.contains(action), "{action:?}");
        let agrees = *action == WorkspaceAction::AgreeSuccession;
        let is_like_the_grace = action.allowed_in_grace() || agrees;
        assert_eq!(action.allowed_while_restricted(), is_like_the_grace, "{action:?}");
    }
}

#[test]
fn it_is_taken_back_within_the_grace() {
    let cancel = |by, at| WorkspaceCommand::CancelDeletion { by, now: at };
    Workspaces::with(())
        .given(given())
        .when(cancel(ADA, in_days(6)))
        .then_expect_events(vec![WorkspaceEvent::DeletionCancelled {}]);
    Workspaces::with(())
        .given(given())
        .when(cancel(ADA, in_days(7)))
        .then_expect_error(WorkspaceError::GraceOver(in_days(7)));
    Workspaces::with(())
        .given(given())
        .when(cancel(BOB, in_days(6)))
        .then_expect_error(WorkspaceError::NeedsRight(Right::DeleteWorkspace));
    Workspaces::with(())
        .given(created())
        .when(cancel(ADA, now()))
        .then_expect_error(WorkspaceError::DeletionNotRequested);
}

#[test]
fn an_owner_requests_and_cancels_a_deletion_twice_in_a_day_at_most() {
    let after_first = [created(), once(0)].concat();
    let then_requested = |given: &[WorkspaceEvent], at, own| {
        let requested = requested_at(hour(at));
        let given = Workspaces::with(()).given(given.to_vec());
        given.when(again(ADA, at, own)).then_expect_events(vec![requested]);
    };
    let then_too_often = |given: &[WorkspaceEvent], at, own, until| {
        let too_often = WorkspaceError::RequestedTooOften(hour(until));
        let given = Workspaces::with(()).given(given.to_vec());
        given.when(again(ADA, at, own)).then_expect_error(too_often);
    };
    then_requested(&after_first, 1, &[0]);
    let after_second = [after_first, once(1)].concat();
    then_too_often(&after_second, 23, &[0, 1], 24);
    then_requested(&after_second, 24, &[0, 1]);
    // The earliest is forgotten.
    let three = [after_second, once(24)].concat();
    then_too_often(&three, 24, &[0, 1, 24], 25);
}

#[test]
fn whoever_requests_and_cancels_keeps_no_other_owner_from_it() {
    let twice = [with_bob(Role::Owner), once(0), once(1)].concat();
    let cases: [(&[i64], bool); 3] = [(&[], false), (&[1], false), (&[0, 1], true)];
    for (own, is_kept) in cases {
        let by_bob = Workspaces::with(()).given(twice.clone()).when(again(BOB, 2, own));
        if is_kept {
            by_bob.then_expect_error(WorkspaceError::RequestedTooOften(hour(24)));
        } else {
            by_bob.then_expect_events(vec![requested_at(hour(2))]);
        }
    }
    // Many together do.
    let ten = (0..10).flat_map(once);
    let ten: Vec<_> = with_bob(Role::Owner).into_iter().chain(ten).collect();
    let by_bob = |at| Workspaces::with(()).given(ten.clone()).when(again(BOB, at, &[]));
    by_bob(23).then_expect_error(WorkspaceError::RequestedTooOften(hour(24)));
    by_bob(24).then_expect_events(vec![requested_at(hour(24))]);
}

fn hour(hours: i64) -> DateTime<Utc> {
    now() + TimeDelta::hours(hours)
}

fn requested_at(requested_at: DateTime<Utc>) -> WorkspaceEvent {
    WorkspaceEvent::DeletionRequested { requested_at, due: requested_at + TimeDelta::days(7) }
}

/// Requested in this hour, and cancelled.
fn once(hours: i64) -> Vec<WorkspaceEvent> {
    vec![requested_at(hour(hours)), WorkspaceEvent::DeletionCancelled {}]
}

/// A request in this hour, of somebody who has made those of the other hours.
fn again(by: AccountId, at: i64, own: &[i64]) -> WorkspaceCommand {
    let (now, requested_before) = (hour(at), own.iter().map(|at| hour(*at)).collect());
    WorkspaceCommand::RequestDeletion { by, now, due: now + TimeDelta::days(7), requested_before }
}

#[test]
fn it_is_completed_once_it_is_due_and_for_good() {
    let complete = |at| WorkspaceCommand::CompleteDeletion { now: at };
    let deleted = WorkspaceEvent::Deleted { requested_at: now() };
    Workspaces::with(())
        .given(given())
        .when(complete(in_days(7)))
        .then_expect_events(vec![deleted.clone()]);
    Workspaces::with(())
        .given(given())
        .when(complete(in_days(6)))
        .then_expect_error(WorkspaceError::GraceNotOver(in_days(7)));
    Workspaces::with(())
        .given(created())
        .when(complete(now()))
        .then_expect_error(WorkspaceError::DeletionNotRequested);
    let gone = [given(), vec![deleted]].concat();
    Workspaces::with(()).given(gone.clone()).when(complete(now())).then_expect_events(vec![]);
    Workspaces::with(())
        .given(gone.clone())
        .when(request(ADA, 7))
        .then_expect_error(WorkspaceError::Unknown);
    Workspaces::with(())
        .given(gone)
        .when(create())
        .then_expect_error(WorkspaceError::AlreadyExists);
}

#[test]
fn what_an_erased_person_leaves_alone_is_deleted_at_once() {
    let abandon = WorkspaceCommand::Abandon { member: ADA, now: in_days(1) };
    let at_once = WorkspaceEvent::DeletionRequested { requested_at: in_days(1), due: in_days(1) };
    Workspaces::with(()).given(created()).when(abandon.clone()).then_expect_events(vec![at_once]);
    Workspaces::with(())
        .given(with_bob(Role::Viewer))
        .when(abandon.clone())
        .then_expect_error(WorkspaceError::NotAlone);
    Workspaces::with(())
        .given([created(), vec![requested()]].concat())
        .when(abandon.clone())
        .then_expect_events(vec![]);
    for is_requested in [false, true] {
        let requested = is_requested.then(requested);
        let at_once = (!is_requested).then(|| WorkspaceEvent::DeletionRequested {
            requested_at: in_days(1),
            due: in_days(1),
        });
        let ended = [
            WorkspaceEvent::ApiTokenRevoked { token: TOKEN },
            WorkspaceEvent::InvitationRevoked { invitation: INVITATION },
        ];
        Workspaces::with(())
            .given([with_what_acts(), requested.into_iter().collect()].concat())
            .when(abandon.clone())
            .then_expect_events(ended.into_iter().chain(at_once).collect());
    }
}

/// A token and an invitation of ada's, who is alone.
fn with_what_acts() -> Vec<WorkspaceEvent> {
    let rights = vec![Right::ReadRuns];
    let token = TOKEN;
    let issued =
        WorkspaceEvent::ApiTokenIssued { token, account: ADA, rights, expires_at: in_days(30) };
    let invited = WorkspaceEvent::MemberInvited {
        invitation: INVITATION,
        email: Personal::Apart,
        role: Role::Viewer,
        by: ADA,
        until: in_days(7),
    };
    [created(), vec![issued, invited]].concat()
}

#[test]
fn a_restore_brings_back_neither_a_deleted_workspace_nor_one_that_was_to_be() {
    let restore = WorkspaceCommand::RestoreDeletion { requested_at: now(), due: in_days(7) };
    Workspaces::with(())
        .given(created())
        .when(restore.clone())
        .then_expect_events(vec![requested()]);
    Workspaces::with(()).given(given()).when(restore).then_expect_events(vec![]);
    let due = in_days(2);
    let was_hastened = WorkspaceCommand::RestoreDeletion { requested_at: now(), due };
    let hastened = vec![WorkspaceEvent::DeletionHastened { due }];
    Workspaces::with(()).given(given()).when(was_hastened).then_expect_events(hastened);
    let repeat = WorkspaceCommand::RepeatDeletion { requested_at: now() };
    let deleted = WorkspaceEvent::Deleted { requested_at: now() };
    for before in [created(), given()] {
        Workspaces::with(())
            .given(before)
            .when(repeat.clone())
            .then_expect_events(vec![deleted.clone()]);
    }
    let gone = [created(), vec![deleted]].concat();
    Workspaces::with(()).given(gone).when(repeat).then_expect_events(vec![]);
}
