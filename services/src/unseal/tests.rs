//! One test for each answer, on a real keyring.

use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use domain::privacy::{AccountEmail, AccountName, EmailAddress, IpAddress, LoginIp};
use domain::{EventId, WorkspaceId};
use infra::clock::Clock;
use infra::keyring::{Keyring, KeyringOptions, RootFolder};
use infra::postgres::{ConnectOptions, connect, connect_one};
use tempfile::TempDir;
use test_support::{Databases, databases};
use uuid::Uuid;

use super::*;

const ACCOUNT: AccountId = AccountId(Uuid::from_u128(1));
const EMAIL: &str = "ada@lethe.example";

struct Harness {
    databases: Databases,
    roots: TempDir,
    clock: Clock,
}

impl Harness {
    async fn new() -> Self {
        let noon: DateTime<Utc> = "2026-11-22T12:00:00Z".parse().unwrap();
        Self {
            databases: databases().await.unwrap(),
            roots: tempfile::tempdir().unwrap(),
            clock: Clock::fixed(noon),
        }
    }

    /// A keyring that has no key in memory yet.
    async fn keyring(&self) -> Keyring {
        let pool = connect(&self.databases.keyring_url, &ConnectOptions::app()).await.unwrap();
        let roots = Arc::new(RootFolder::open(&self.roots.path().join("roots"), None).unwrap());
        let options = KeyringOptions::default();
        Keyring::start(pool, roots, options, self.clock.clone()).await.unwrap()
    }
}

async fn sealed<F: Field>(keyring: &Keyring, value: &F::Value) -> Sealed {
    let id = EventId(Uuid::from_u128(2)).into();
    keyring.sealer.seal_value::<F>(ACCOUNT.into(), ACCOUNT.into(), id, value).await.unwrap()
}

fn email() -> EmailAddress {
    EmailAddress::parse(EMAIL).unwrap()
}

/// What [`Unsealer::required`] and [`Unsealer::optional`] answer.
async fn answers<F: Field>(
    unsealer: &Unsealer<'_>,
    sealed: &Sealed,
) -> (Result<F::Value, OpenError>, Result<Option<F::Value>, UnknownField>) {
    (unsealer.required::<F>(sealed).await, unsealer.optional::<F>(Some(sealed)).await)
}

#[tokio::test]
async fn a_field_of_an_erased_person_is_refused_or_absent() {
    let harness = Harness::new().await;
    let keyring = harness.keyring().await;
    let stored = sealed::<AccountEmail>(&keyring, &email()).await;
    let person = Unsealer::of_account(&keyring.sealer, ACCOUNT);
    let (required, optional) = answers::<AccountEmail>(&person, &stored).await;
    assert_eq!((required.unwrap().expose(), optional.unwrap()), (EMAIL, Some(email())));

    keyring.eraser.erase_subject(ACCOUNT.into()).await.unwrap();

    let (required, optional) = answers::<AccountEmail>(&person, &stored).await;
    assert!(matches!(required, Err(OpenError::Erased)));
    assert!(matches!(optional, Ok(None)));
}

#[tokio::test]
async fn a_field_of_a_period_that_is_over_is_refused_or_absent() {
    let harness = Harness::new().await;
    let keyring = harness.keyring().await;
    let address = IpAddress([192, 0, 2, 1].into());
    let stored = sealed::<LoginIp>(&keyring, &address).await;
    let person = Unsealer::of_account(&keyring.sealer, ACCOUNT);
    assert_eq!(person.required::<LoginIp>(&stored).await.unwrap(), address);

    harness.clock.advance(TimeDelta::days(91));
    assert_eq!(keyring.eraser.erase_expired().await.unwrap().buckets, 1);

    let (required, optional) = answers::<LoginIp>(&person, &stored).await;
    assert!(matches!(required, Err(OpenError::Expired)));
    assert!(matches!(optional, Ok(None)));
}

#[tokio::test]
async fn a_damaged_field_is_an_error_also_where_a_field_may_be_absent() {
    let harness = Harness::new().await;
    let keyring = harness.keyring().await;
    let stored = sealed::<AccountEmail>(&keyring, &email()).await;
    let person = Unsealer::of_account(&keyring.sealer, ACCOUNT);
    let mut changed = stored.clone();
    *changed.envelope.last_mut().unwrap() ^= 1;
    let elsewhere = WorkspaceId(Uuid::from_u128(3)).into();
    let of_another_tenant = Unsealer::new(&keyring.sealer, elsewhere, ACCOUNT.into());

    for (unsealer, sealed) in [(&person, &changed), (&of_another_tenant, &stored)] {
        let (required, optional) = answers::<AccountEmail>(unsealer, sealed).await;
        assert!(matches!(required, Err(OpenError::Damaged)));
        assert!(matches!(optional, Err(UnknownField::Damaged)));
    }
    let as_another_field = person.optional::<AccountName>(Some(&stored)).await;
    assert!(matches!(as_another_field, Err(UnknownField::Damaged)));
    let clear = Personal::<AccountEmail>::Clear(email());
    assert!(matches!(person.required::<AccountEmail>(&clear).await, Err(OpenError::Damaged)));
    let no_bytes: Option<&[u8]> = None;
    assert!(matches!(person.optional::<AccountEmail>(no_bytes).await, Ok(None)));
}

#[tokio::test]
async fn a_keyring_that_is_not_reached_is_an_error_and_no_absent_field() {
    let harness = Harness::new().await;
    let stored = sealed::<AccountEmail>(&harness.keyring().await, &email()).await;
    let keyring = harness.keyring().await;
    let options = ConnectOptions::default();
    let admin = connect_one(&harness.databases.keyring_url, &options).await.unwrap();
    let revoke = "revoke all on all tables in schema keyring from lethe_app";
    admin.batch_execute(revoke).await.unwrap();

    let person = Unsealer::of_account(&keyring.sealer, ACCOUNT);
    let (required, optional) = answers::<AccountEmail>(&person, &stored).await;
    assert!(matches!(required, Err(OpenError::Unavailable(_))));
    assert!(matches!(optional, Err(UnknownField::Unavailable(_))));
}
