use super::tests::{credential, email, leaving, live};
use super::{AccountCommand, AccountError, AccountEvent};

const OLD: &str = "ada@example.org";
const NEW: &str = "ada@new.example";

#[test]
fn what_rests_on_a_password_ends_with_it_and_not_with_a_request_for_erasure() {
    let verified = || AccountCommand::Verified { credential: credential(1) };
    live(vec![]).when(verified()).then_expect_events(vec![]);
    leaving().when(verified()).then_expect_events(vec![]);
    let changed = AccountEvent::PasswordChanged { credential: credential(2) };
    live(vec![changed]).when(verified()).then_expect_error(AccountError::PasswordReplaced);
}

#[test]
fn what_rests_on_an_address_ends_with_it() {
    let verified = AccountEvent::EmailVerified {};
    let moved = AccountEvent::EmailChanged { email: email(NEW) };
    let has = |address| AccountCommand::HasEmail { email: email(address) };
    live(vec![verified.clone()]).when(has(OLD)).then_expect_events(vec![]);
    live(vec![moved.clone()]).when(has(NEW)).then_expect_events(vec![]);
    live(vec![verified, moved]).when(has(OLD)).then_expect_error(AccountError::EmailReplaced);
    live(vec![]).when(has(OLD)).then_expect_error(AccountError::EmailUnverified);
    leaving().when(has(OLD)).then_expect_error(AccountError::ErasureRequested);
}

#[test]
fn a_token_is_issued_only_while_none_were_ended_since() {
    let of = |times| AccountCommand::TokensEnded { times };
    let ended = || AccountEvent::ApiTokensEnded {};
    live(vec![]).when(of(0)).then_expect_events(vec![]);
    live(vec![ended()]).when(of(1)).then_expect_events(vec![]);
    live(vec![ended()]).when(of(0)).then_expect_error(AccountError::TokensEnded);
    leaving().when(of(1)).then_expect_error(AccountError::ErasureRequested);
}
