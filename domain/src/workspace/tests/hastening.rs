//! Deletions that come sooner.

use super::*;

fn given() -> Vec<WorkspaceEvent> {
    [with_bob(Role::Admin), vec![requested()]].concat()
}

/// Bob, who was that a day before the request of `requested_by`.
fn bob(requested_by: Option<AccountId>, role_before: Option<Role>) -> Hastening {
    Hastening::Owner { account: BOB, requested_by, role_before }
}

#[test]
fn another_owner_or_an_operator_has_it_come_sooner() {
    let hasten = |by| WorkspaceCommand::HastenDeletion { by, now: in_days(1), due: in_days(1) };
    let given = |role| Workspaces::with(()).given([with_bob(role), vec![requested()]].concat());
    let owned = Some(Role::Owner);
    let due = in_days(1);
    let hastened = vec![WorkspaceEvent::DeletionHastened { due }];
    given(Role::Owner).when(hasten(bob(Some(ADA), owned))).then_expect_events(hastened.clone());
    let alone = [created(), vec![requested()]].concat();
    Workspaces::with(())
        .given(alone)
        .when(hasten(Hastening::Operator))
        .then_expect_events(hastened);

    // Whoever requested it; one of whom nobody knows; and somebody who was made an owner for this.
    for by in [bob(Some(BOB), owned), bob(None, owned), bob(Some(ADA), None)]
        .into_iter()
        .chain([bob(Some(ADA), Some(Role::Admin))])
    {
        given(Role::Owner).when(hasten(by)).then_expect_error(WorkspaceError::AnotherOwnerNeeded);
    }
    given(Role::Admin)
        .when(hasten(bob(Some(ADA), owned)))
        .then_expect_error(WorkspaceError::NeedsRight(Right::DeleteWorkspace));
    Workspaces::with(())
        .given(with_bob(Role::Owner))
        .when(hasten(bob(Some(ADA), owned)))
        .then_expect_error(WorkspaceError::DeletionNotRequested);
}

#[test]
fn where_others_are_left_a_deletion_that_is_hastened_comes_in_an_hour() {
    let with_eve = [with_bob(Role::Owner), vec![joined(EVE, Role::Viewer), requested()]].concat();
    let (at, hour) = (in_days(1), in_days(1) + TimeDelta::hours(1));
    let hasten = |by, due| WorkspaceCommand::HastenDeletion { by, now: at, due };
    let by_bob = bob(Some(ADA), Some(Role::Owner));
    for by in [by_bob, Hastening::Operator] {
        let hastened = vec![WorkspaceEvent::DeletionHastened { due: hour }];
        Workspaces::with(())
            .given(with_eve.clone())
            .when(hasten(by, at))
            .then_expect_events(hastened);
    }
    let later = in_days(2);
    let hastened = vec![WorkspaceEvent::DeletionHastened { due: later }];
    Workspaces::with(())
        .given(with_eve.clone())
        .when(hasten(by_bob, later))
        .then_expect_events(hastened);
    Workspaces::with(())
        .given(with_eve)
        .when(hasten(by_bob, now()))
        .then_expect_error(WorkspaceError::GraceOutOfRange);
}

#[test]
fn a_deletion_that_is_hastened_is_due_then_and_never_later() {
    let hasten = |now, due| WorkspaceCommand::HastenDeletion { by: Hastening::Operator, now, due };
    let hastened = WorkspaceEvent::DeletionHastened { due: in_days(2) };
    let sooner = [given(), vec![hastened]].concat();
    Workspaces::with(())
        .given(sooner.clone())
        .when(WorkspaceCommand::CompleteDeletion { now: in_days(2) })
        .then_expect_events(vec![WorkspaceEvent::Deleted { requested_at: now() }]);
    Workspaces::with(())
        .given(sooner.clone())
        .when(hasten(in_days(1), in_days(2)))
        .then_expect_error(WorkspaceError::NotSooner(in_days(2)));
    Workspaces::with(())
        .given(sooner.clone())
        .when(hasten(in_days(2), in_days(2)))
        .then_expect_error(WorkspaceError::GraceOver(in_days(2)));
    Workspaces::with(())
        .given(sooner)
        .when(WorkspaceCommand::CancelDeletion { by: ADA, now: in_days(2) })
        .then_expect_error(WorkspaceError::GraceOver(in_days(2)));
}
