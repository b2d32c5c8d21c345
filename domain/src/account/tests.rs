mod signing_in;

use chrono::{DateTime, TimeDelta, Utc};
use cqrs_es::test::TestFramework;
use uuid::Uuid;

use super::{Account, AccountCommand, AccountError, AccountEvent, LoginRefusal};
use super::{AggregateRoot, Proof};
use crate::privacy::{
    AccountEmail, AccountName, EmailAddress, IpAddress, LoginIp, LoginUserAgent, PersonName,
    Personal, Purpose, UserAgent, Username,
};
use crate::{CredentialId, ProofId, SessionId};

type Accounts = TestFramework<Account>;

pub(super) fn noon() -> DateTime<Utc> {
    DateTime::from_timestamp(1_790_000_000, 0).unwrap()
}

pub(super) fn email(address: &str) -> Personal<AccountEmail> {
    Personal::Clear(EmailAddress::parse(address).unwrap())
}

pub(super) fn name() -> Personal<AccountName> {
    Personal::Clear(PersonName::parse("Ada Lovelace").unwrap())
}

pub(super) fn ip() -> Personal<LoginIp> {
    Personal::Clear(IpAddress([127, 0, 0, 1].into()))
}

pub(super) fn user_agent() -> Personal<LoginUserAgent> {
    Personal::Clear(UserAgent::cut("curl/8"))
}

pub(super) const fn credential(n: u128) -> CredentialId {
    CredentialId(Uuid::from_u128(n))
}

pub(super) fn proof(n: u128) -> Proof {
    Proof { id: ProofId(Uuid::from_u128(n)), until: noon() + TimeDelta::hours(1) }
}

pub(super) fn registered() -> AccountEvent {
    AccountEvent::Registered {
        email: email("ada@example.org"),
        name: name(),
        username: None,
        credential: credential(1),
        verification: proof(1),
    }
}

fn given(events: Vec<AccountEvent>) -> cqrs_es::test::AggregateTestExecutor<Account> {
    Accounts::with(()).given(events)
}

pub(super) fn live(then: Vec<AccountEvent>) -> cqrs_es::test::AggregateTestExecutor<Account> {
    given([vec![registered()], then].concat())
}

pub(super) fn leaving() -> cqrs_es::test::AggregateTestExecutor<Account> {
    live(vec![erasure_requested()])
}

pub(super) fn erasure_requested() -> AccountEvent {
    AccountEvent::ErasureRequested { requested_at: noon(), due: noon() + TimeDelta::days(7) }
}

fn erased() -> cqrs_es::test::AggregateTestExecutor<Account> {
    live(vec![erasure_requested(), AccountEvent::ErasureCompleted { requested_at: noon() }])
}

fn registration() -> AccountCommand {
    AccountCommand::Register {
        email: email("ada@example.org"),
        name: name(),
        username: None,
        credential: credential(1),
        verification: proof(1),
    }
}

#[test]
fn a_person_registers() {
    Accounts::with(())
        .given_no_previous_events()
        .when(registration())
        .then_expect_events(vec![registered()]);
}

#[test]
fn an_account_is_registered_once() {
    live(vec![]).when(registration()).then_expect_error(AccountError::AlreadyExists);
    leaving().when(registration()).then_expect_error(AccountError::AlreadyExists);
}

#[test]
fn nothing_can_be_asked_of_an_account_that_nobody_registered() {
    Accounts::with(())
        .given_no_previous_events()
        .when(AccountCommand::ChangePassword { credential: credential(2), keep_api_tokens: true })
        .then_expect_error(AccountError::Unknown);
}

#[test]
fn the_mailed_link_verifies_the_address() {
    live(vec![])
        .when(AccountCommand::VerifyEmail { proof: proof(1).id, now: noon() })
        .then_expect_events(vec![AccountEvent::EmailVerified {}]);
}

#[test]
fn a_link_works_until_it_expires_and_only_once() {
    let late = noon() + TimeDelta::hours(1);
    live(vec![])
        .when(AccountCommand::VerifyEmail { proof: proof(1).id, now: late })
        .then_expect_error(AccountError::LinkExpired);
    live(vec![AccountEvent::EmailVerified {}])
        .when(AccountCommand::VerifyEmail { proof: proof(1).id, now: noon() })
        .then_expect_error(AccountError::EmailVerified);
}

#[test]
fn a_newer_link_replaces_the_one_before() {
    live(vec![AccountEvent::VerificationRequested { verification: proof(2) }])
        .when(AccountCommand::VerifyEmail { proof: proof(1).id, now: noon() })
        .then_expect_error(AccountError::LinkReplaced);
}

#[test]
fn a_link_is_sent_again_until_the_address_is_verified() {
    live(vec![])
        .when(AccountCommand::RequestVerification { verification: proof(2) })
        .then_expect_events(vec![AccountEvent::VerificationRequested { verification: proof(2) }]);
    live(vec![AccountEvent::EmailVerified {}])
        .when(AccountCommand::RequestVerification { verification: proof(2) })
        .then_expect_error(AccountError::EmailVerified);
}

#[test]
fn the_address_changes_when_the_new_one_is_proven() {
    let requested = AccountEvent::EmailChangeRequested {
        email: email("countess@example.org"),
        verification: proof(3),
    };
    live(vec![])
        .when(AccountCommand::RequestEmailChange {
            email: email("countess@example.org"),
            verification: proof(3),
        })
        .then_expect_events(vec![requested.clone()]);
    live(vec![requested.clone()])
        .when(AccountCommand::ConfirmEmailChange { proof: proof(3).id, now: noon() })
        .then_expect_events(vec![AccountEvent::EmailChanged {
            email: email("countess@example.org"),
        }]);
    live(vec![requested, AccountEvent::EmailChanged { email: email("countess@example.org") }])
        .when(AccountCommand::ConfirmEmailChange { proof: proof(3).id, now: noon() })
        .then_expect_error(AccountError::LinkReplaced);
}

#[test]
fn a_password_is_changed() {
    live(vec![])
        .when(AccountCommand::ChangePassword { credential: credential(2), keep_api_tokens: true })
        .then_expect_events(vec![AccountEvent::PasswordChanged { credential: credential(2) }]);
}

#[test]
fn what_is_wrong_is_corrected_and_nothing_else() {
    let username = Personal::Clear(Username::parse("ada").unwrap());
    live(vec![])
        .when(AccountCommand::Rectify { name: None, username: Some(username.clone()) })
        .then_expect_events(vec![AccountEvent::Rectified { name: None, username: Some(username) }]);
    live(vec![])
        .when(AccountCommand::Rectify { name: None, username: None })
        .then_expect_error(AccountError::NothingToRectify);
}

#[test]
fn a_username_is_removed_once() {
    let removed = || AccountEvent::UsernameRemoved {};
    let username = Some(Personal::Clear(Username::parse("ada").unwrap()));
    let named = || AccountEvent::Rectified { name: None, username: username.clone() };
    let without = |before| live(before).when(AccountCommand::RemoveUsername);
    without(vec![named()]).then_expect_events(vec![removed()]);
    without(vec![removed(), named()]).then_expect_events(vec![removed()]);
    without(vec![removed()]).then_expect_events(vec![]);
    without(vec![named(), removed()]).then_expect_events(vec![]);
}

#[test]
fn a_verified_address_is_spelled_otherwise_without_a_link() {
    let respells = || AccountCommand::RespellEmail { email: email("Ada@example.org") };
    live(vec![AccountEvent::EmailVerified {}])
        .when(respells())
        .then_expect_events(vec![AccountEvent::EmailChanged { email: email("Ada@example.org") }]);
    live(vec![]).when(respells()).then_expect_error(AccountError::EmailUnverified);
}

#[test]
fn a_consent_is_given_and_withdrawn_in_one_step_each() {
    let purpose = Purpose::ProductNews;
    let yes = AccountEvent::ConsentGiven { purpose, policy_version: 3 };
    live(vec![])
        .when(AccountCommand::GiveConsent { purpose, policy_version: 3 })
        .then_expect_events(vec![yes.clone()]);
    live(vec![yes.clone()])
        .when(AccountCommand::GiveConsent { purpose, policy_version: 3 })
        .then_expect_events(vec![]);
    live(vec![yes.clone()])
        .when(AccountCommand::GiveConsent { purpose, policy_version: 4 })
        .then_expect_events(vec![AccountEvent::ConsentGiven { purpose, policy_version: 4 }]);
    let no = AccountEvent::ConsentWithdrawn { purpose };
    live(vec![yes.clone()])
        .when(AccountCommand::WithdrawConsent { purpose })
        .then_expect_events(vec![no.clone()]);
    live(vec![yes, no])
        .when(AccountCommand::WithdrawConsent { purpose })
        .then_expect_events(vec![]);
    live(vec![]).when(AccountCommand::WithdrawConsent { purpose }).then_expect_events(vec![]);
}

#[test]
fn what_rests_on_the_contract_is_no_matter_of_consent() {
    let purpose = Purpose::Authentication;
    live(vec![])
        .when(AccountCommand::WithdrawConsent { purpose })
        .then_expect_error(AccountError::NotByConsent(purpose));
    assert_eq!(
        AccountError::NotByConsent(purpose).to_string(),
        "authentication does not rest on consent: only usage analysis and product news do"
    );
}

#[test]
fn an_erasure_is_requested_with_a_grace_of_at_most_30_days() {
    for days in [0, 7, 30] {
        let due = noon() + TimeDelta::days(days);
        live(vec![])
            .when(AccountCommand::RequestErasure { now: noon(), due })
            .then_expect_events(vec![AccountEvent::ErasureRequested { requested_at: noon(), due }]);
    }
    for due in [noon() + TimeDelta::days(31), noon() - TimeDelta::seconds(1)] {
        live(vec![])
            .when(AccountCommand::RequestErasure { now: noon(), due })
            .then_expect_error(AccountError::GraceOutOfRange);
    }
}

#[test]
fn lethe_itself_requests_the_erasure_only_while_the_address_is_not_verified() {
    let (now, due) = (noon(), noon());
    let erases = || AccountCommand::EraseUnverified { now, due };
    let requested = AccountEvent::ErasureRequested { requested_at: now, due };
    live(vec![]).when(erases()).then_expect_events(vec![requested]);
    for verifies in [
        AccountEvent::EmailVerified {},
        AccountEvent::EmailChanged { email: email("ada@new.example.org") },
    ] {
        live(vec![verifies]).when(erases()).then_expect_error(AccountError::EmailVerified);
    }
    leaving().when(erases()).then_expect_error(AccountError::ErasureRequested);
    erased().when(erases()).then_expect_error(AccountError::Erased);
}

#[test]
fn a_requested_erasure_restricts_the_account() {
    leaving()
        .when(AccountCommand::ChangePassword { credential: credential(2), keep_api_tokens: true })
        .then_expect_error(AccountError::ErasureRequested);
}

#[test]
fn an_erasure_is_cancelled_within_the_grace_only() {
    let due = noon() + TimeDelta::days(7);
    leaving()
        .when(AccountCommand::CancelErasure { now: noon() })
        .then_expect_events(vec![AccountEvent::ErasureCancelled {}]);
    leaving()
        .when(AccountCommand::CancelErasure { now: due })
        .then_expect_error(AccountError::GraceOver(due));
    live(vec![])
        .when(AccountCommand::CancelErasure { now: noon() })
        .then_expect_error(AccountError::ErasureNotRequested);
    live(vec![erasure_requested(), AccountEvent::ErasureCancelled {}])
        .when(AccountCommand::ChangePassword { credential: credential(2), keep_api_tokens: true })
        .then_expect_events(vec![AccountEvent::PasswordChanged { credential: credential(2) }]);
}

#[test]
fn an_erasure_is_completed_after_the_grace_and_proven_afterwards() {
    let due = noon() + TimeDelta::days(7);
    leaving()
        .when(AccountCommand::CompleteErasure { now: due })
        .then_expect_events(vec![AccountEvent::ErasureCompleted { requested_at: noon() }]);
    leaving()
        .when(AccountCommand::CompleteErasure { now: noon() })
        .then_expect_error(AccountError::GraceNotOver(due));
    live(vec![])
        .when(AccountCommand::CompleteErasure { now: noon() })
        .then_expect_error(AccountError::ErasureNotRequested);
    leaving().when(AccountCommand::ProveBackupErasure).then_expect_error(AccountError::NotErased);
    erased()
        .when(AccountCommand::ProveBackupErasure)
        .then_expect_events(vec![AccountEvent::ErasureBackupProven {}]);
}

#[test]
fn an_erased_account_does_nothing_more_and_repeats_nothing() {
    erased()
        .when(AccountCommand::ChangePassword { credential: credential(2), keep_api_tokens: true })
        .then_expect_error(AccountError::Erased);
    erased().when(AccountCommand::CompleteErasure { now: noon() }).then_expect_events(vec![]);
}

#[test]
fn an_erased_account_keeps_no_field_in_its_state() {
    let mut account = Account::default();
    for event in [registered(), AccountEvent::ErasureCompleted { requested_at: noon() }] {
        cqrs_es::Aggregate::apply(&mut account, event);
    }
    assert_eq!(account, Account::Ended { backup_proven: false });
    assert!(account.decide(AccountCommand::ProveBackupErasure).is_ok());
}

#[test]
fn the_erasure_of_backups_is_proven_once() {
    let mut account = Account::Ended { backup_proven: false };
    cqrs_es::Aggregate::apply(&mut account, AccountEvent::ErasureBackupProven {});
    assert_eq!(account, Account::Ended { backup_proven: true });
    assert_eq!(account.decide(AccountCommand::ProveBackupErasure), Ok(vec![]));
}
