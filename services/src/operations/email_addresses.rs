//! Whose an e-mail address is. At most one live account has it: it is reserved by its blind index,
//! under each generation of the index.

use std::collections::BTreeSet;

use domain::AccountId;
use domain::account::Account;
use domain::privacy::{AccountEmail, EmailAddress, TypedAddress};
use infra::event_store::{LoadError, ReservationChange};
use infra::keyring::KeyringError;
use infra::postgres::PgError;
use infra::reservations::Index;

use crate::unseal::{UnknownField, Unsealer};
use crate::wiring::App;

/// Nothing is known of the address. It may be tried again.
#[derive(Debug, thiserror::Error)]
pub(crate) enum AddressError {
    #[error(transparent)]
    Keyring(#[from] KeyringError),
    #[error(transparent)]
    Load(#[from] LoadError),
    #[error(transparent)]
    Postgres(#[from] PgError),
}

impl From<UnknownField> for AddressError {
    fn from(error: UnknownField) -> Self {
        Self::Keyring(match error {
            UnknownField::Damaged => KeyringError::Damaged,
            UnknownField::Unavailable(error) => error,
        })
    }
}

/// The account that has this address.
///
/// # Errors
/// [`AddressError`].
pub(crate) async fn owner(
    app: &App,
    email: &EmailAddress,
) -> Result<Option<AccountId>, AddressError> {
    Ok(owners(app, email).await?.into_iter().next())
}

/// The account of a person who types this address. Of two accounts that have it in different spellings,
/// from before it had one canonical form, it is the one whose spelling is typed, or else the first.
///
/// # Errors
/// [`AddressError`].
pub(crate) async fn owner_of_typed(
    app: &App,
    typed: &TypedAddress,
) -> Result<Option<AccountId>, AddressError> {
    let owners = owners(app, &typed.to_look_up()).await?;
    if owners.len() < 2 && typed.is_taken_today() {
        return Ok(owners.into_iter().next());
    }
    let mut first = None;
    for owner in owners {
        let Some(address) = current_address(app, owner).await? else { continue };
        if !typed.can_be(&address) {
            continue;
        }
        if typed.is_spelled_as(&address) {
            return Ok(Some(owner));
        }
        first.get_or_insert(owner);
    }
    Ok(first)
}

/// Every account that has a form of it; there is one, but for accounts from before it had one canonical form.
async fn owners(app: &App, email: &EmailAddress) -> Result<Vec<AccountId>, AddressError> {
    let mut owners = Vec::new();
    for (kind, blind_index) in app.keyring.email_index.indexes_of_all_forms(email).await? {
        let owner = app.executor.reservation_owner(&kind, &blind_index).await?.map(AccountId);
        owners.extend(owner.filter(|owner| !owners.contains(owner)));
    }
    Ok(owners)
}

/// `None`: the account has ended.
async fn current_address(
    app: &App,
    account: AccountId,
) -> Result<Option<EmailAddress>, AddressError> {
    let loaded = app.executor.load::<Account>(account.into(), account.0).await?;
    let Account::Live(live) = &*loaded.state else { return Ok(None) };
    let person = Unsealer::of_account(&app.keyring.sealer, account);
    Ok(person.optional::<AccountEmail>(Some(&live.email)).await?)
}

/// What a request that gives an address to an account must reserve.
///
/// # Errors
/// [`AddressError`].
pub(crate) async fn reserve(
    app: &App,
    email: &EmailAddress,
    owner: AccountId,
) -> Result<Vec<ReservationChange>, AddressError> {
    // A node of the former version looks for it in its own form only.
    let indexes = app.keyring.email_index.indexes_of_all_forms(email).await?;
    Ok(indexes.iter().map(|(kind, blind_index)| take(kind, blind_index, owner)).collect())
}

fn take(kind: &str, blind_index: &[u8], owner: AccountId) -> ReservationChange {
    let (kind, blind_index) = (kind.to_owned(), blind_index.to_vec());
    ReservationChange::Take { kind, blind_index, owner: owner.0 }
}

/// As [`reserve`], for an account that gives back `until_now`, the address that it has.
///
/// # Errors
/// [`AddressError`].
pub(crate) async fn reserve_instead(
    app: &App,
    email: &EmailAddress,
    until_now: Option<&EmailAddress>,
    owner: AccountId,
) -> Result<Vec<ReservationChange>, AddressError> {
    let mut released: BTreeSet<Index> =
        app.reservations.of_owner(owner.0).await?.into_iter().collect();
    // A rotation of the index may reserve it under another key before this command is appended.
    if let Some(until_now) = until_now {
        released.extend(app.keyring.email_index.indexes_of_all_forms(until_now).await?);
    }
    let mut changes = reserve(app, email, owner).await?;
    // The same address in another spelling stays reserved.
    released.retain(|(kind, blind_index)| !changes.contains(&take(kind, blind_index, owner)));
    let release =
        |(kind, blind_index)| ReservationChange::Release { kind, blind_index, owner: owner.0 };
    changes.extend(released.into_iter().map(release));
    Ok(changes)
}
