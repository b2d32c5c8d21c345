//! Sign-ins, and who stays when others leave.

use super::*;

fn succeed(credential: CredentialId, session: SessionId) -> AccountCommand {
    AccountCommand::SucceedLogin { credential, session, ip: ip(), user_agent: user_agent() }
}

fn succeeded(session: SessionId) -> AccountEvent {
    AccountEvent::LoginSucceeded { session, ip: ip(), user_agent: user_agent() }
}

#[test]
fn a_sign_in_holds_for_the_password_that_was_checked_only() {
    let session = SessionId(Uuid::from_u128(9));
    let changed = credential(77);
    let with_another = || live(vec![AccountEvent::PasswordChanged { credential: changed }]);
    with_another()
        .when(succeed(credential(1), session))
        .then_expect_error(AccountError::CredentialReplaced);
    with_another().when(succeed(changed, session)).then_expect_events(vec![succeeded(session)]);
}

#[test]
fn an_owner_remains_until_the_erasure_of_the_account_is_requested() {
    live(vec![]).when(AccountCommand::Remain).then_expect_events(vec![]);
    leaving().when(AccountCommand::Remain).then_expect_error(AccountError::OwnerLeaves);
    let cancelled = vec![erasure_requested(), AccountEvent::ErasureCancelled {}];
    live(cancelled).when(AccountCommand::Remain).then_expect_events(vec![]);
}

#[test]
fn whoever_leaves_begins_nothing_elsewhere() {
    let acts = |verified| AccountCommand::Act { verified };
    live(vec![]).when(acts(false)).then_expect_events(vec![]);
    live(vec![]).when(acts(true)).then_expect_error(AccountError::AddressUnverified);
    let verified = || vec![AccountEvent::EmailVerified {}];
    live(verified()).when(acts(true)).then_expect_events(vec![]);
    for verified in [false, true] {
        leaving().when(acts(verified)).then_expect_error(AccountError::ErasureRequested);
    }
}

#[test]
fn failures_are_counted_where_there_are_any() {
    let from = noon();
    let until = from + TimeDelta::minutes(59);
    let counts = |count| AccountCommand::CountFailedLogins { from, until, count };
    let counted = AccountEvent::LoginsFailed { from, until, count: 90 };
    live(vec![]).when(counts(90)).then_expect_events(vec![counted.clone()]);
    leaving().when(counts(90)).then_expect_events(vec![counted]);
    live(vec![]).when(counts(0)).then_expect_events(vec![]);
}

#[test]
fn sign_ins_are_remembered_even_during_the_grace() {
    let session = SessionId(Uuid::from_u128(9));
    leaving().when(succeed(credential(1), session)).then_expect_events(vec![
        AccountEvent::LoginSucceeded { session, ip: ip(), user_agent: user_agent() },
    ]);
    let reason = LoginRefusal::WrongPassword;
    live(vec![])
        .when(AccountCommand::FailLogin { reason, ip: ip(), user_agent: user_agent() })
        .then_expect_events(vec![AccountEvent::LoginFailed {
            reason,
            ip: ip(),
            user_agent: user_agent(),
        }]);
}
