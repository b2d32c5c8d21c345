//! Errors of the keyring. No text holds a value.

use std::io::ErrorKind;

use chrono::{DateTime, Utc};
use domain::SubjectId;

use super::root_store::{RootId, RootStoreError};
use super::went_back::KeyringWentBack;
use crate::postgres::PgError;
use crate::random::NoRandomness;

/// Why the keyring refused a call or failed.
#[derive(Debug, thiserror::Error)]
pub enum KeyringError {
    /// The keyring's database did not answer, or refused.
    #[error("the keyring's database: {0}")]
    Database(#[from] PgError),
    /// Milliseconds. Keys in memory are not used until the database answers again.
    #[error("no answer from the keyring for {0} ms: its cached keys are not used")]
    LeaseLost(u128),
    /// A standby, or a primary that was replaced, may not know of the last keys that were erased.
    #[error(
        "the keyring's database is a standby or takes no writes: keys are used from the primary only"
    )]
    Standby,
    /// A commit may be lost in a crash although it was answered.
    #[error(
        "synchronous_commit is {0} in the sessions of the keyring, so a crash could lose keys that \
         are in use: set it to on, for example with: alter role … set synchronous_commit = on"
    )]
    SynchronousCommit(String),
    /// Keys are wrapped under a root that is not in the store, or will be.
    #[error(
        "keys are wrapped under root key {id}, which is not in {store}: put it back, or set root_dir \
         or root_vault to the place that has it (all nodes use the same one)"
    )]
    RootMissing {
        /// The missing root.
        id: RootId,
        /// Where it was searched, as in [`super::RootStore::place`].
        store: String,
    },
    /// No root key was ever made, and this start may not make one.
    #[error("the keyring has no root key yet: run `lethe migrate`, or start `lethe serve`")]
    NoRoot,
    /// The store has another key under this number.
    #[error(
        "root key {id} in {store} is another key than the one that the keyring's rows are wrapped \
         with: put the right one back, or set root_dir or root_vault to the place that has it"
    )]
    RootWrong {
        /// The root.
        id: RootId,
        /// Where it was read, as in [`super::RootStore::place`].
        store: String,
    },
    /// This node cannot read a root that it needs, and uses no keys until it can.
    #[error("this node uses no keys: {0}")]
    RootsUnusable(String),
    /// The place of the root keys does not answer. This node has in memory those that it needs.
    #[error("root keys are used from memory, and none is replaced: {0}")]
    RootsUnreached(String),
    /// A root key could not be read, written or erased.
    #[error(transparent)]
    Roots(#[from] RootStoreError),
    /// A row does not hold what was written into it.
    #[error("a row of the keyring does not open under its root key, or is damaged")]
    Damaged,
    /// The configured recipient of the escrow cannot be read.
    #[error("the escrow's recipient is not an age recipient: use one that begins with age1")]
    EscrowRecipient,
    /// An escrow file could not be written or erased.
    #[error("the escrow of old root keys, escrow_dir, cannot be used: {path}: {reason}")]
    Escrow {
        /// Its folder.
        path: String,
        /// Why not.
        reason: std::io::Error,
    },
    /// A file of the keyring's copy could not be written or read.
    #[error("the copy of the keyring: {path}: {reason}")]
    Copy {
        /// The file, or its folder.
        path: String,
        /// Why not.
        reason: std::io::Error,
    },
    /// A file of the keyring's copy does not hold what was written into it, or one is missing.
    #[error("the copy of the keyring is damaged: {path}: {reason}")]
    CopyDamaged {
        /// The file, or its folder.
        path: String,
        /// What is wrong.
        reason: String,
    },
    /// A copy was written, and its folder is missing or empty.
    #[error(
        "the copy of the keyring, whose file {written} was written, is not in {path}: mount its disk, or \
         set copy_dir to the folder that has it, which all nodes share. If it is lost for good, run \
         `lethe keys copy-lost`: a new copy is begun"
    )]
    CopyMissing {
        /// The folder.
        path: String,
        /// The last file that was written.
        written: i64,
    },
    /// What an operator states of the copy is not so, or cannot be checked.
    #[error("this is not noted of the copy of the keyring: {0}")]
    CopyStatement(String),
    /// The keyring's database and its copy have two different keys in one place.
    #[error(
        "nothing is restored: {keys} of the keyring's keys are others than those of the copy in the same \
         place, since nodes went on with the keyring after it went back, so that one of the two is lost. To \
         keep those of the copy, restore the backup of the keyring's database again, which has neither, and \
         run this again; to keep those of the database, move the copy away and run `lethe keys copy-lost`"
    )]
    Forked {
        /// How many, at least.
        keys: i64,
    },
    /// The keyring's database went back under this node, which uses no keys any more.
    #[error(transparent)]
    Regressed(KeyringWentBack),
    /// There is no copy that knows more than the keyring.
    #[error("nothing is restored: {0}")]
    NothingToRestore(String),
    /// Another node has written a file of the copy meanwhile.
    #[error("another node has written the copy of the keyring meanwhile")]
    CopyOvertaken,
    /// The keyring's database was taken back to an earlier state: its copy knows more.
    #[error(
        "the keyring's database went back: it knows of file {known} of its copy, and {path} is file \
         {found}, complete at {complete_at}. Stop every node and run `lethe restore --keyring`: it \
         puts the keys of the copy in place"
    )]
    WentBack {
        /// The last file of the copy that the database knows of.
        known: i64,
        /// The newest file of the copy.
        found: i64,
        /// Its path.
        path: String,
        /// The copy has every change until then.
        complete_at: DateTime<Utc>,
    },
    /// What an operator states of a root key is not so, or cannot be checked.
    #[error("this is not noted of root key {id}: {reason}")]
    Statement {
        /// The root.
        id: RootId,
        /// Why it is refused, and what to do.
        reason: String,
    },
    /// No erasure of this subject was requested, or it was cancelled.
    #[error("the erasure of {0} is not in the ledger")]
    NotInLedger(SubjectId),
    /// The states of an erasure, as in [`super::ErasureState::as_str`].
    #[error("an erasure cannot go from {from} to {to}: record the stages between first")]
    StageSkipped {
        /// The state in the ledger.
        from: &'static str,
        /// The state that was to be recorded.
        to: &'static str,
    },
    /// No key could be drawn.
    #[error(transparent)]
    Random(#[from] NoRandomness),
    /// A fault of this program: a length that the cipher does not take.
    #[error("the cipher refused its input")]
    Cipher,
    /// Before 1970, or so long ago that the key of the day is erased.
    #[error("there is no key for this date: check the clock")]
    Date,
    /// A fault of this program: every personal value can be written.
    #[error("a personal value could not be written as JSON")]
    Value,
}

impl KeyringError {
    /// Whether it is about the files of one root, and says nothing of other roots, as a place does that answers none.
    pub(super) fn is_of_one_root(&self) -> bool {
        let of_escrow =
            matches!(self, Self::Escrow { reason, .. } if reason.kind() != ErrorKind::TimedOut);
        of_escrow || matches!(self, Self::Roots(error) if !error.says_nothing())
    }

    /// Whether it says that the root keys themselves cannot be used.
    pub(super) const fn is_about_roots(&self) -> bool {
        matches!(self, Self::RootMissing { .. } | Self::RootWrong { .. } | Self::Roots(_))
    }
}

impl From<tokio_postgres::Error> for KeyringError {
    fn from(error: tokio_postgres::Error) -> Self {
        Self::Database(error.into())
    }
}

impl From<crate::postgres::PoolError> for KeyringError {
    fn from(error: crate::postgres::PoolError) -> Self {
        Self::Database(error.into())
    }
}

/// Why a value was not sealed. Nothing was stored.
#[derive(Debug, thiserror::Error)]
pub enum SealError {
    /// For good: an erased subject never gets a key again.
    #[error("{0} was erased: nothing more is sealed for this subject")]
    Erased(SubjectId),
    /// This node's clock is behind: the key of its date is erased already.
    #[error("the keys of this period are erased: check the clock")]
    Expired,
    /// The database or the keyring is unreachable: try again later.
    #[error(transparent)]
    Unavailable(#[from] KeyringError),
}

/// Why a sealed value was not opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// For good: the subject's key is erased.
    #[error("the subject was erased")]
    Erased,
    /// For good: the key of the period in which the value was sealed is erased.
    #[error("the period that this value was kept for is over")]
    Expired,
    /// Not this field of this subject in this tenant, or not bytes that were sealed here.
    #[error("the sealed value belongs to another field, or was changed")]
    Damaged,
    /// The database or the keyring is unreachable: try again later.
    #[error(transparent)]
    Unavailable(#[from] KeyringError),
}
