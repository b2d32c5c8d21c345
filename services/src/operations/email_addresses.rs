//! Whose an e-mail address is. At most one live account has it: it is reserved by its blind index,
//! under each generation of the index.

use std::collections::BTreeSet;

use domain::AccountId;
use domain::privacy::EmailAddress;
use infra::event_store::{LoadError, ReservationChange};
use infra::keyring::KeyringError;
use infra::postgres::PgError;
use infra::reservations::Index;

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

/// The account that has this address.
///
/// # Errors
/// [`AddressError`].
pub(crate) async fn owner(
    app: &App,
    email: &EmailAddress,
) -> Result<Option<AccountId>, AddressError> {
    for (kind, blind_index) in app.keyring.email_index.indexes(email).await? {
        if let Some(owner) = app.executor.reservation_owner(&kind, &blind_index).await? {
            return Ok(Some(AccountId(owner)));
        }
    }
    Ok(None)
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
    let indexes = app.keyring.email_index.indexes(email).await?;
    let take = |(kind, blind_index)| ReservationChange::Take { kind, blind_index, owner: owner.0 };
    Ok(indexes.into_iter().map(take).collect())
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
        released.extend(app.keyring.email_index.indexes(until_now).await?);
    }
    let mut changes = reserve(app, email, owner).await?;
    let release =
        |(kind, blind_index)| ReservationChange::Release { kind, blind_index, owner: owner.0 };
    changes.extend(released.into_iter().map(release));
    Ok(changes)
}
