//! Tokens.

use super::*;
use crate::workspace::{ApiToken, TOKENS_MAX};

fn issue(by: AccountId, rights: &[Right], days: i64) -> WorkspaceCommand {
    let (rights, expires_at) = (rights.to_vec(), in_days(days));
    let (account, token) = (by, TOKEN);
    WorkspaceCommand::IssueApiToken { by, account, token, rights, now: now(), expires_at }
}

fn issued(account: AccountId) -> WorkspaceEvent {
    let rights = vec![Right::ReadRuns, Right::StartRuns];
    WorkspaceEvent::ApiTokenIssued { token: TOKEN, account, rights, expires_at: in_days(30) }
}

#[test]
fn a_token_has_some_of_its_issuers_rights() {
    let twice = [Right::StartRuns, Right::ReadRuns, Right::StartRuns];
    Workspaces::with(())
        .given(created())
        .when(issue(ADA, &twice, 30))
        .then_expect_events(vec![issued(ADA)]);
    Workspaces::with(())
        .given(with_bob(Role::Admin))
        .when(issue(BOB, &[Right::ManageBilling], 30))
        .then_expect_error(WorkspaceError::NeedsRight(Right::ManageBilling));
    Workspaces::with(())
        .given(with_bob(Role::Operator))
        .when(issue(BOB, &[Right::ReadRuns], 30))
        .then_expect_error(WorkspaceError::NeedsRight(Right::ManageTokens));
    Workspaces::with(())
        .given(created())
        .when(issue(ADA, &[], 30))
        .then_expect_error(WorkspaceError::NoRights);
}

#[test]
fn no_token_manages_tokens_or_members_or_ends_the_workspace() {
    for right in [Right::ManageTokens, Right::ManageMembers, Right::DeleteWorkspace] {
        Workspaces::with(())
            .given(created())
            .when(issue(ADA, &[right], 30))
            .then_expect_error(WorkspaceError::NotForTokens(right));
    }
}

#[test]
fn a_token_ends_within_a_year() {
    let rights = vec![Right::ReadRuns];
    Workspaces::with(()).given(created()).when(issue(ADA, &rights, 365)).then_expect_events(vec![
        WorkspaceEvent::ApiTokenIssued {
            token: TOKEN,
            account: ADA,
            rights,
            expires_at: in_days(365),
        },
    ]);
    for days in [0, 366] {
        Workspaces::with(())
            .given(created())
            .when(issue(ADA, &[Right::ReadRuns], days))
            .then_expect_error(WorkspaceError::TokenDays);
    }
}

#[test]
fn a_token_is_revoked_once() {
    let revoke = |by| WorkspaceCommand::RevokeApiToken { by, token: TOKEN };
    let given = [with_bob(Role::Operator), vec![issued(ADA)]].concat();
    Workspaces::with(())
        .given(given.clone())
        .when(revoke(ADA))
        .then_expect_events(vec![WorkspaceEvent::ApiTokenRevoked { token: TOKEN }]);
    Workspaces::with(())
        .given(given)
        .when(revoke(BOB))
        .then_expect_error(WorkspaceError::NeedsRight(Right::ManageTokens));
    Workspaces::with(())
        .given(created())
        .when(revoke(ADA))
        .then_expect_error(WorkspaceError::NoSuchToken);
}

#[test]
fn the_tokens_that_an_account_has_ended_are_revoked_also_in_the_grace_and_newer_ones_stay() {
    let newer = ApiTokenId(Uuid::from_u128(77));
    let also = WorkspaceEvent::ApiTokenIssued {
        token: newer,
        account: ADA,
        rights: vec![Right::ReadRuns],
        expires_at: in_days(30),
    };
    let ends = |member| WorkspaceCommand::RevokeTokensOf { member, ended: vec![TOKEN] };
    let given = [with_bob(Role::Operator), vec![issued(ADA), also, requested()]].concat();
    let revoked = WorkspaceEvent::ApiTokenRevoked { token: TOKEN };
    Workspaces::with(())
        .given(given.clone())
        .when(ends(ADA))
        .then_expect_events(vec![revoked.clone()]);
    Workspaces::with(()).given(given.clone()).when(ends(BOB)).then_expect_events(vec![]);
    Workspaces::with(())
        .given([given, vec![revoked]].concat())
        .when(ends(ADA))
        .then_expect_events(vec![]);
}

#[test]
fn there_are_so_many_tokens_and_no_more() {
    let mut full = live(1);
    let token = ApiToken::issued(TOKEN, ADA, [].into(), in_days(1));
    full.tokens = (0..TOKENS_MAX)
        .map(|n| (ApiTokenId(Uuid::from_u128(n as u128 + 100)), token.clone()))
        .collect();
    let full = Workspace::Live(Box::new(full));
    assert_eq!(
        full.decide(issue(ADA, &[Right::ReadRuns], 1)),
        Err(WorkspaceError::TokensMax(TOKENS_MAX))
    );
}

#[test]
fn expired_tokens_make_room_and_are_revoked_as_others_are_issued() {
    let mut full = live(1);
    let of = |n: usize| ApiTokenId(Uuid::from_u128(n as u128 + 100));
    let expired = ApiToken::issued(TOKEN, ADA, [].into(), now());
    let working = ApiToken { expires_at: in_days(1), ..expired.clone() };
    full.tokens = (0..TOKENS_MAX).map(|n| (of(n), expired.clone())).collect();
    full.tokens.insert(of(3), working);
    let full = Workspace::Live(Box::new(full));

    let events = full.decide(issue(ADA, &[Right::ReadRuns, Right::StartRuns], 30)).unwrap();

    let first = (0..TOKENS_MAX).filter(|n| *n != 3).take(10);
    let revoked = first.map(|n| WorkspaceEvent::ApiTokenRevoked { token: of(n) });
    assert_eq!(events, [vec![issued(ADA)], revoked.collect()].concat());
}
