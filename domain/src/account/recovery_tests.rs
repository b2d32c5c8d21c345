//! Whoever recovers an account has it alone: what was outstanding before does nothing any more.

use super::tests::{credential, email, erasure_requested, leaving, live, noon, proof};
use super::{AccountCommand, AccountError, AccountEvent};

fn change_requested() -> AccountEvent {
    AccountEvent::EmailChangeRequested { email: email("thief@example.org"), verification: proof(3) }
}

fn confirms() -> AccountCommand {
    AccountCommand::ConfirmEmailChange { proof: proof(3).id, now: noon() }
}

fn reset_requested() -> AccountEvent {
    AccountEvent::PasswordResetRequested { proof: proof(4) }
}

fn resets() -> AccountCommand {
    AccountCommand::ResetPassword { proof: proof(4).id, credential: credential(2), now: noon() }
}

fn changed() -> AccountEvent {
    AccountEvent::PasswordChanged { credential: credential(2) }
}

fn verified() -> AccountEvent {
    AccountEvent::EmailVerified {}
}

#[test]
fn a_password_is_reset_once_with_the_mailed_link_and_ends_the_api_tokens() {
    live(vec![verified()])
        .when(AccountCommand::RequestPasswordReset { proof: proof(4) })
        .then_expect_events(vec![reset_requested()]);
    live(vec![verified(), reset_requested()])
        .when(resets())
        .then_expect_events(vec![changed(), AccountEvent::ApiTokensEnded {}]);
    live(vec![reset_requested(), changed()])
        .when(resets())
        .then_expect_error(AccountError::LinkReplaced);
    live(vec![]).when(resets()).then_expect_error(AccountError::LinkReplaced);
}

#[test]
fn a_new_password_ends_the_api_tokens_unless_they_are_to_stay() {
    let change = |keep_api_tokens| AccountCommand::ChangePassword {
        credential: credential(2),
        keep_api_tokens,
    };
    live(vec![]).when(change(true)).then_expect_events(vec![changed()]);
    live(vec![])
        .when(change(false))
        .then_expect_events(vec![changed(), AccountEvent::ApiTokensEnded {}]);
}

#[test]
fn a_new_password_ends_a_change_of_address_that_waits() {
    live(vec![change_requested(), changed()])
        .when(confirms())
        .then_expect_error(AccountError::LinkReplaced);
}

#[test]
fn another_address_ends_the_link_for_a_password_that_the_one_before_was_sent() {
    let moved = AccountEvent::EmailChanged { email: email("ada@new.example") };
    live(vec![reset_requested(), moved])
        .when(resets())
        .then_expect_error(AccountError::LinkReplaced);
}

#[test]
fn a_change_of_address_is_cancelled_while_it_waits() {
    live(vec![change_requested()])
        .when(AccountCommand::CancelEmailChange)
        .then_expect_events(vec![AccountEvent::EmailChangeCancelled {}]);
    let cancelled = AccountEvent::EmailChangeCancelled {};
    live(vec![change_requested(), cancelled.clone()])
        .when(confirms())
        .then_expect_error(AccountError::LinkReplaced);
    for before in [vec![], vec![change_requested(), cancelled], vec![change_requested(), changed()]]
    {
        live(before)
            .when(AccountCommand::CancelEmailChange)
            .then_expect_error(AccountError::NoEmailChange);
    }
}

#[test]
fn a_password_by_mail_proves_the_address_that_somebody_else_registered() {
    live(vec![reset_requested()]).when(resets()).then_expect_events(vec![
        changed(),
        AccountEvent::ApiTokensEnded {},
        verified(),
    ]);
}

#[test]
fn a_request_for_erasure_ends_every_link_that_was_mailed_before() {
    let cancelled = AccountEvent::ErasureCancelled {};
    let before = [change_requested(), reset_requested(), erasure_requested(), cancelled];
    let verifies = AccountCommand::VerifyEmail { proof: proof(1).id, now: noon() };
    for follows in [confirms(), resets(), verifies] {
        live(before.to_vec()).when(follows).then_expect_error(AccountError::LinkReplaced);
    }
}

#[test]
fn whoever_reads_the_mail_gets_a_new_password_while_an_erasure_waits() {
    leaving()
        .when(AccountCommand::RequestPasswordReset { proof: proof(4) })
        .then_expect_events(vec![reset_requested()]);
    live(vec![verified(), erasure_requested(), reset_requested()])
        .when(resets())
        .then_expect_events(vec![changed(), AccountEvent::ApiTokensEnded {}]);
    leaving()
        .when(AccountCommand::EndSessions { keep_api_tokens: false })
        .then_expect_events(vec![AccountEvent::SessionsEnded {}, AccountEvent::ApiTokensEnded {}]);
    leaving()
        .when(AccountCommand::EndSessions { keep_api_tokens: true })
        .then_expect_events(vec![AccountEvent::SessionsEnded {}]);
}
