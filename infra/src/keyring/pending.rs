//! The signatures that others build on.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use domain::privacy::{Class, EmailAddress, Field, Sealed};
use domain::{AccountId, Event, EventId, ProofId, SubjectId, TenantId};
use uuid::Uuid;

use super::ledger::{Entry, Open, Step};
use super::{Keyring, KeyringError, KeyringOptions, OpenError, RootId, RootStore, SealError};
use crate::clock::Clock;
use crate::postgres::Pool;

/// What a mailed link is for: a link for the one does not do the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LinkPurpose {
    VerifyEmail,
    ChangeEmail,
    ResetPassword,
}

/// A request's body under today's key and, while it lasts, under yesterday's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RequestMacs {
    pub today: [u8; 32],
    pub before: Option<[u8; 32]>,
}

/// What an erasure destroyed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Forgotten {
    pub classes: Vec<Class>,
    pub keys: i64,
    /// The youngest root key that ever wrapped them; none when there were no keys.
    pub root: Option<RootId>,
}

/// A finished rotation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rotation {
    pub current: RootId,
    pub rewrapped: u64,
}

/// How many keys of each kind came to their end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Retained {
    pub buckets: u64,
    pub request_macs: u64,
    pub links: u64,
    pub escrows: u64,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Status {
    pub live: i64,
    pub destroyed: i64,
    pub root: RootId,
    pub root_since: DateTime<Utc>,
    pub escrowed: i64,
    pub email_generation: i64,
    pub email_generation_since: DateTime<Utc>,
}

/// What a rotation of the e-mail index asks of the log: each call may be repeated.
#[async_trait]
pub trait Reclaim: Send + Sync {
    /// Owners, in order, with fewer claims of kind `new` than of kind `old`.
    async fn behind(
        &self,
        old: &str,
        new: &str,
        after: Option<Uuid>,
        limit: i64,
    ) -> Result<Vec<Uuid>, KeyringError>;
    /// Opens the owner's addresses and claims them under every generation of `email_index`.
    async fn reclaim(&self, owner: Uuid) -> Result<(), KeyringError>;
    /// Deletes every claim of a kind whose key is about to be destroyed.
    async fn release(&self, kind: &str) -> Result<(), KeyringError>;
}

const PENDING: KeyringError = KeyringError::LeaseLost(0);

#[allow(clippy::unused_async, unused_variables, reason = "the bodies follow within the hour")]
impl Keyring {
    /// Checks that every key's root is there, and mints the first root of an empty keyring.
    pub async fn start(
        pool: Pool,
        roots: Arc<dyn RootStore>,
        options: KeyringOptions,
        clock: Clock,
    ) -> Result<Self, KeyringError> {
        Err(PENDING)
    }
    pub async fn seal<E: Event>(
        &self,
        tenant: TenantId,
        stream: Uuid,
        event_id: EventId,
        event: &mut E,
    ) -> Result<Vec<SubjectId>, SealError> {
        Err(PENDING.into())
    }
    pub async fn open<F: Field>(
        &self,
        tenant: TenantId,
        subject: SubjectId,
        sealed: &Sealed,
    ) -> Result<F::Value, OpenError> {
        Err(PENDING.into())
    }
    /// `(kind, blind index)` under each generation that is written, newest first.
    pub async fn email_index(
        &self,
        email: &EmailAddress,
    ) -> Result<Vec<(String, Vec<u8>)>, KeyringError> {
        Err(PENDING)
    }
    pub async fn request_macs(
        &self,
        tenant: TenantId,
        body: &[u8],
    ) -> Result<RequestMacs, KeyringError> {
        Err(PENDING)
    }
    pub async fn link_token(
        &self,
        purpose: LinkPurpose,
        account: AccountId,
        proof: ProofId,
    ) -> Result<String, KeyringError> {
        Err(PENDING)
    }
    pub async fn read_link(
        &self,
        purpose: LinkPurpose,
        token: &str,
    ) -> Result<Option<(AccountId, ProofId)>, KeyringError> {
        Err(PENDING)
    }
    pub async fn forget(&self, subject: SubjectId) -> Result<Forgotten, KeyringError> {
        Err(PENDING)
    }
    pub async fn destroy_bucket(
        &self,
        class: Class,
        bucket: NaiveDate,
    ) -> Result<bool, KeyringError> {
        Err(PENDING)
    }
    /// Destroys what is past its time: buckets, day keys, link keys and escrowed roots.
    pub async fn retention(&self) -> Result<Retained, KeyringError> {
        Err(PENDING)
    }
    /// Finishes the rotation that is under way, or makes a whole one.
    pub async fn rotate_root(&self) -> Result<Rotation, KeyringError> {
        Err(PENDING)
    }
    /// The same, when one is under way or the current root is older than `every`.
    pub async fn rotate_root_when_due(
        &self,
        every: TimeDelta,
    ) -> Result<Option<Rotation>, KeyringError> {
        Err(PENDING)
    }
    /// Finishes the rotation of the e-mail index that is under way, or makes one when the key is
    /// older than `every`. `settle` is the longest that a command may take.
    pub async fn rotate_email_index(
        &self,
        every: TimeDelta,
        settle: Duration,
        accounts: &dyn Reclaim,
    ) -> Result<bool, KeyringError> {
        Err(PENDING)
    }
    pub async fn status(&self) -> Result<Status, KeyringError> {
        Err(PENDING)
    }
    /// How long it takes until every node has dropped what was destroyed before the call.
    pub const fn lease() -> Duration {
        Duration::from_secs(1)
    }

    pub async fn ledger_request(
        &self,
        subject: SubjectId,
        due: DateTime<Utc>,
        claim_code_hash: [u8; 32],
    ) -> Result<Entry, KeyringError> {
        Err(PENDING)
    }
    /// Whether the erasure is cancelled; false once its fence may stand, or when there is none.
    pub async fn ledger_cancel(&self, subject: SubjectId) -> Result<bool, KeyringError> {
        Err(PENDING)
    }
    pub async fn ledger_entry(&self, subject: SubjectId) -> Result<Option<Entry>, KeyringError> {
        Err(PENDING)
    }
    pub async fn ledger_by_code(
        &self,
        claim_code_hash: [u8; 32],
    ) -> Result<Option<Entry>, KeyringError> {
        Err(PENDING)
    }
    /// The erasures that are due and not completed, the oldest first.
    pub async fn ledger_due(
        &self,
        now: DateTime<Utc>,
        limit: i64,
    ) -> Result<Vec<Entry>, KeyringError> {
        Err(PENDING)
    }
    /// The completed erasures whose last root and its escrow are gone.
    pub async fn ledger_provable(&self, limit: i64) -> Result<Vec<Entry>, KeyringError> {
        Err(PENDING)
    }
    pub async fn ledger_advance(
        &self,
        subject: SubjectId,
        step: Step,
    ) -> Result<Entry, KeyringError> {
        Err(PENDING)
    }
    pub async fn ledger_open(&self) -> Result<Open, KeyringError> {
        Err(PENDING)
    }
    /// After a restore of the events: every subject whose fence must stand before serving.
    pub async fn ledger_fences(
        &self,
        after: Option<SubjectId>,
        limit: i64,
    ) -> Result<Vec<SubjectId>, KeyringError> {
        Err(PENDING)
    }
}
