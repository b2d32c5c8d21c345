//! What went wrong with the keyring, told without any value.

use chrono::{DateTime, Utc};
use domain::SubjectId;

use super::root_store::{RootId, RootStoreError};
use crate::postgres::PgError;

#[derive(Debug, thiserror::Error)]
pub enum KeyringError {
    #[error("the keyring's database: {0}")]
    Database(#[from] PgError),
    #[error("no answer from the keyring for {0} ms: its cached keys are not used")]
    LeaseLost(u128),
    #[error("the keyring's database is a standby: keys are used from the primary only")]
    Standby,
    #[error("keys are wrapped under root key {0}, which is not there: put it back to start")]
    RootMissing(RootId),
    #[error("root key {0} is not the one that the keyring knows by that number")]
    RootWrong(RootId),
    #[error(transparent)]
    Roots(#[from] RootStoreError),
    #[error("a row of the keyring does not open under its root key")]
    Damaged,
    #[error("kept until {until}: this key cannot be destroyed before")]
    TooSoon { until: DateTime<Utc> },
    #[error("keys of this class are not kept by bucket")]
    NoBucket,
    #[error("the escrow's recipient is not an age recipient")]
    EscrowRecipient,
    #[error("the escrow file: {0}")]
    Escrow(std::io::Error),
    #[error("an account could not be moved to the new index: {0}")]
    Reservations(String),
    #[error("the erasure of {0} is not in the ledger")]
    NotInLedger(SubjectId),
    #[error("an erasure cannot go from {from} to {to}: the stages between must be noted first")]
    StageSkipped { from: &'static str, to: &'static str },
    #[error("the system has no randomness to give")]
    Random,
    #[error("the cipher refused its input")]
    Cipher,
    #[error("this date is outside what the keyring counts")]
    Date,
    #[error("a personal value could not be written as JSON")]
    Value,
}

impl From<tokio_postgres::Error> for KeyringError {
    fn from(error: tokio_postgres::Error) -> Self {
        Self::Database(error.into())
    }
}

impl From<deadpool_postgres::PoolError> for KeyringError {
    fn from(error: deadpool_postgres::PoolError) -> Self {
        Self::Database(error.into())
    }
}

/// Why an event was not sealed.
#[derive(Debug, thiserror::Error)]
pub enum SealError {
    #[error("{0} was erased: nothing more is sealed for this subject")]
    Erased(SubjectId),
    #[error("the keys of this period are destroyed")]
    Expired,
    #[error(transparent)]
    Unavailable(#[from] KeyringError),
}

/// Why a sealed value was not opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    #[error("the person was erased")]
    Erased,
    #[error("the period that this value was kept for is over")]
    Expired,
    /// Not this field of this subject in this tenant, or not bytes that were sealed here.
    #[error("the sealed value does not belong here, or was changed")]
    Damaged,
    #[error(transparent)]
    Unavailable(#[from] KeyringError),
}
