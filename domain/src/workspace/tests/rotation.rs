//! Tokens that get another secret, or another name.

use super::super::{Actor, OVERLAP_MINUTES_MAX, WorkspaceAction};
use super::*;

const SECOND: ApiTokenSecretId = ApiTokenSecretId(Uuid::from_u128(32));
const THIRD: ApiTokenSecretId = ApiTokenSecretId(Uuid::from_u128(33));

fn at(minutes: i64) -> DateTime<Utc> {
    now() + TimeDelta::minutes(minutes)
}

/// Ada and Bob own it; Ada has a token for a day.
fn given() -> Vec<WorkspaceEvent> {
    let (rights, expires_at) = (vec![Right::ReadRuns], in_days(1));
    let issued = WorkspaceEvent::ApiTokenIssued { token: TOKEN, account: ADA, rights, expires_at };
    [with_bob(Role::Owner), vec![issued]].concat()
}

fn rotate(by: AccountId, secret: ApiTokenSecretId, now: i64, overlap: i64) -> WorkspaceCommand {
    WorkspaceCommand::RotateApiToken {
        by,
        token: TOKEN,
        secret,
        now: at(now),
        overlap: TimeDelta::minutes(overlap),
        expires_at: None,
    }
}

fn rotated(secret: ApiTokenSecretId, former_until: i64) -> WorkspaceEvent {
    let (former_until, expires_at) = (at(former_until), in_days(1));
    WorkspaceEvent::ApiTokenRotated { token: TOKEN, secret, former_until, expires_at }
}

/// Whether the token acts by this secret, so many minutes from now.
fn works(given: &[WorkspaceEvent], secret: ApiTokenSecretId, minutes: i64) -> bool {
    let (by, action) = (Actor::Token(TOKEN, secret), Some(WorkspaceAction::ShowRun));
    let mut workspace = Workspace::default();
    for event in given {
        cqrs_es::Aggregate::apply(&mut workspace, event.clone());
    }
    let acts = WorkspaceCommand::Act { by, action, also: None, now: at(minutes) };
    match workspace.decide(acts) {
        Ok(events) => events.is_empty(),
        Err(error) => {
            assert_eq!(error, WorkspaceError::TokenGone);
            false
        }
    }
}

fn refused(given: Vec<WorkspaceEvent>, command: WorkspaceCommand, why: WorkspaceError) {
    Workspaces::with(()).given(given).when(command).then_expect_error(why);
}

#[test]
fn both_secrets_of_a_rotated_token_work_for_an_hour_and_then_the_new_one() {
    let after = rotated(SECOND, 60);
    Workspaces::with(())
        .given(given())
        .when(rotate(ADA, SECOND, 0, 60))
        .then_expect_events(vec![after.clone()]);

    assert!(works(&given(), TOKEN.into(), 0) && !works(&given(), SECOND, 0), "before it");
    let given = [given(), vec![after]].concat();
    for (minutes, former) in [(0, true), (59, true), (60, false)] {
        assert_eq!(works(&given, TOKEN.into(), minutes), former, "{minutes}");
        assert!(works(&given, SECOND, minutes), "{minutes}");
    }
    assert!(!works(&given, THIRD, 0));
    assert!(!works(&given, SECOND, 24 * 60), "it ends with the token");
}

#[test]
fn without_an_overlap_the_former_secret_ends_at_once() {
    let leaked = [given(), vec![rotated(SECOND, 0)]].concat();
    assert!(!works(&leaked, TOKEN.into(), 0));
    assert!(works(&leaked, SECOND, 0));
}

#[test]
fn a_third_secret_comes_once_the_first_one_is_over_or_ends_both() {
    let given = [given(), vec![rotated(SECOND, 60)]].concat();
    let works_still = WorkspaceError::FormerSecretWorks(at(60));
    refused(given.clone(), rotate(ADA, THIRD, 59, 60), works_still);
    Workspaces::with(())
        .given(given.clone())
        .when(rotate(ADA, THIRD, 60, 60))
        .then_expect_events(vec![rotated(THIRD, 120)]);
    Workspaces::with(())
        .given(given.clone())
        .when(rotate(ADA, THIRD, 1, 0))
        .then_expect_events(vec![rotated(THIRD, 1)]);
    let ended = [given, vec![rotated(THIRD, 1)]].concat();
    assert!(!works(&ended, TOKEN.into(), 1) && !works(&ended, SECOND, 1));
    assert!(works(&ended, THIRD, 1));
}

#[test]
fn what_ends_a_token_ends_both_of_its_secrets() {
    let given = [given(), vec![rotated(SECOND, 60)]].concat();
    for ends in [
        WorkspaceEvent::ApiTokenRevoked { token: TOKEN },
        WorkspaceEvent::MemberRemoved { account: ADA },
    ] {
        let ended = [given.clone(), vec![ends]].concat();
        assert!(!works(&ended, TOKEN.into(), 0) && !works(&ended, SECOND, 0));
    }
}

#[test]
fn a_rotation_prolongs_the_token_and_not_the_secret_that_it_replaces() {
    let rotate = |now, expires_at| WorkspaceCommand::RotateApiToken {
        by: ADA,
        token: TOKEN,
        secret: SECOND,
        now,
        overlap: TimeDelta::hours(1),
        expires_at: Some(expires_at),
    };
    let late = in_days(1) - TimeDelta::minutes(10);
    Workspaces::with(()).given(given()).when(rotate(late, in_days(30))).then_expect_events(vec![
        WorkspaceEvent::ApiTokenRotated {
            token: TOKEN,
            secret: SECOND,
            former_until: in_days(1),
            expires_at: in_days(30),
        },
    ]);
    for days in [0, 366] {
        refused(given(), rotate(now(), in_days(days)), WorkspaceError::TokenDays);
    }
    refused(given(), rotate(in_days(1), in_days(30)), WorkspaceError::TokenExpired);
}

#[test]
fn whoever_has_a_secret_acts_for_the_member_so_that_only_the_member_gets_another_one() {
    refused(given(), rotate(BOB, SECOND, 0, 60), WorkspaceError::TokenOfAnother);
    let lowered =
        WorkspaceEvent::RoleChanged { account: ADA, from: Role::Owner, to: Role::Operator };
    let needs = WorkspaceError::NeedsRight(Right::ManageTokens);
    refused([given(), vec![lowered]].concat(), rotate(ADA, SECOND, 0, 60), needs);
    refused(created(), rotate(ADA, SECOND, 0, 60), WorkspaceError::NoSuchToken);
    for overlap in [-1, OVERLAP_MINUTES_MAX + 1] {
        refused(given(), rotate(ADA, SECOND, 0, overlap), WorkspaceError::OverlapOutOfRange);
    }
    let deleting = [given(), vec![requested()]].concat();
    refused(deleting, rotate(ADA, SECOND, 0, 60), WorkspaceError::DeletionRequested);
}

#[test]
fn whoever_manages_tokens_renames_any() {
    let rename = |by| WorkspaceCommand::RenameApiToken { by, token: TOKEN };
    Workspaces::with(())
        .given(given())
        .when(rename(BOB))
        .then_expect_events(vec![WorkspaceEvent::ApiTokenRenamed { token: TOKEN }]);
    refused(created(), rename(ADA), WorkspaceError::NoSuchToken);
    let needs = WorkspaceError::NeedsRight(Right::ManageTokens);
    let viewer = WorkspaceEvent::RoleChanged { account: BOB, from: Role::Owner, to: Role::Viewer };
    refused([given(), vec![viewer]].concat(), rename(BOB), needs);
}
