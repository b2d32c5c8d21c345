//! The erasure ledger: outside the events' restore set, and replayed before serving.

use chrono::{DateTime, TimeDelta, Utc};
use domain::SubjectId;
use tokio_postgres::Row;
use tokio_postgres::types::ToSql;

use super::{Keyring, KeyringError, RootId};

/// How far an erasure has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum State {
    Requested,
    Cancelled,
    /// The fence stands: nothing more is appended for the subject.
    Fenced,
    /// The keys are destroyed.
    Destroyed,
    Completed,
    /// No backup opens anything either.
    BackupProven,
}

impl State {
    const ALL: [Self; 6] = [
        Self::Requested,
        Self::Cancelled,
        Self::Fenced,
        Self::Destroyed,
        Self::Completed,
        Self::BackupProven,
    ];

    pub const fn name(self) -> &'static str {
        match self {
            Self::Requested => "requested",
            Self::Cancelled => "cancelled",
            Self::Fenced => "fenced",
            Self::Destroyed => "destroyed",
            Self::Completed => "completed",
            Self::BackupProven => "backup_proven",
        }
    }

    fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.name() == name)
    }
}

/// What is erased.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Account,
    Workspace,
}

impl Kind {
    pub const fn name(self) -> &'static str {
        match self {
            Self::Account => "account",
            Self::Workspace => "workspace",
        }
    }

    fn named(name: &str) -> Option<Self> {
        [Self::Account, Self::Workspace].into_iter().find(|kind| kind.name() == name)
    }
}

/// One erasure.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    pub kind: Kind,
    pub subject: SubjectId,
    pub state: State,
    pub requested_at: DateTime<Utc>,
    pub due: DateTime<Utc>,
    /// SHA-256 of the claim code, by which the person asks for the certificate.
    pub claim_code_hash: [u8; 32],
    pub cancelled_at: Option<DateTime<Utc>>,
    pub fenced_at: Option<DateTime<Utc>>,
    pub fenced_at_position: Option<i64>,
    pub destroyed_at: Option<DateTime<Utc>>,
    /// How many keys were destroyed.
    pub keys: Option<i64>,
    /// The youngest root key that ever wrapped the subject's keys.
    pub last_root: Option<RootId>,
    pub completed_at: Option<DateTime<Utc>>,
    pub backup_proven_at: Option<DateTime<Utc>>,
}

/// A step of an erasure, in this order. A step that was already taken changes nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    Fenced { position: i64 },
    Destroyed { keys: i64, last_root: Option<RootId> },
    Completed,
    BackupProven,
}

/// The erasures that are requested and not completed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Open {
    pub count: i64,
    /// When the oldest of them was requested.
    pub oldest: Option<DateTime<Utc>>,
    /// Those on their 29th day or later.
    pub overdue: i64,
}

impl Step {
    const fn leads_to(self) -> State {
        match self {
            Self::Fenced { .. } => State::Fenced,
            Self::Destroyed { .. } => State::Destroyed,
            Self::Completed => State::Completed,
            Self::BackupProven => State::BackupProven,
        }
    }
}

impl Entry {
    fn read(row: &Row) -> Result<Self, KeyringError> {
        let hash: &[u8] = row.try_get("claim_code_hash")?;
        Ok(Self {
            kind: Kind::named(row.try_get("kind")?).ok_or(KeyringError::Damaged)?,
            subject: SubjectId(row.try_get("subject")?),
            state: State::named(row.try_get("state")?).ok_or(KeyringError::Damaged)?,
            requested_at: row.try_get("requested_at")?,
            due: row.try_get("due")?,
            claim_code_hash: hash.try_into().map_err(|_| KeyringError::Damaged)?,
            cancelled_at: row.try_get("cancelled_at")?,
            fenced_at: row.try_get("fenced_at")?,
            fenced_at_position: row.try_get("fenced_at_position")?,
            destroyed_at: row.try_get("destroyed_at")?,
            keys: row.try_get("keys")?,
            last_root: row.try_get::<_, Option<i64>>("last_root")?.map(RootId),
            completed_at: row.try_get("completed_at")?,
            backup_proven_at: row.try_get("backup_proven_at")?,
        })
    }
}

type Parameter<'a> = &'a (dyn ToSql + Sync);

impl Keyring {
    /// Enters an erasure, counted from now. One that is open already is answered as it is.
    pub async fn ledger_request(
        &self,
        kind: Kind,
        subject: SubjectId,
        due: DateTime<Utc>,
        claim_code_hash: [u8; 32],
    ) -> Result<Entry, KeyringError> {
        let code = claim_code_hash.as_slice();
        let request = include_str!("sql/request_erasure.sql");
        self.change(request, &[&subject.0, &kind.name(), &self.0.clock.now(), &due, &code]).await?;
        let read = include_str!("sql/read_requested_erasure.sql");
        let entry = self.entries(read, &[&subject.0, &code]).await?.pop();
        entry.ok_or(KeyringError::NotInLedger(subject))
    }

    /// Whether the erasure is cancelled; false once it is fenced, or when there is none.
    pub async fn ledger_cancel(&self, subject: SubjectId) -> Result<bool, KeyringError> {
        let cancel = include_str!("sql/cancel_erasure.sql");
        self.change(cancel, &[&subject.0, &self.0.clock.now()]).await?;
        let entry = self.ledger_entry(subject).await?;
        Ok(entry.is_some_and(|entry| entry.state == State::Cancelled))
    }

    /// The subject's erasure: the open one, else the last that was cancelled.
    pub async fn ledger_entry(&self, subject: SubjectId) -> Result<Option<Entry>, KeyringError> {
        Ok(self.entries(include_str!("sql/read_erasure.sql"), &[&subject.0]).await?.pop())
    }

    pub async fn ledger_by_code(
        &self,
        claim_code_hash: [u8; 32],
    ) -> Result<Option<Entry>, KeyringError> {
        let find = include_str!("sql/find_erasure.sql");
        Ok(self.entries(find, &[&claim_code_hash.as_slice()]).await?.pop())
    }

    /// The erasures that are due and not completed, the oldest first.
    pub async fn ledger_due(
        &self,
        now: DateTime<Utc>,
        limit: i64,
    ) -> Result<Vec<Entry>, KeyringError> {
        self.entries(include_str!("sql/list_due_erasures.sql"), &[&now, &limit]).await
    }

    /// The completed erasures of which no root that wrapped the keys, and no escrow of one, is left.
    pub async fn ledger_provable(&self, limit: i64) -> Result<Vec<Entry>, KeyringError> {
        self.entries(include_str!("sql/list_provable_erasures.sql"), &[&limit]).await
    }

    /// Enters a step. One that was entered before is answered as it was.
    pub async fn ledger_advance(
        &self,
        subject: SubjectId,
        step: Step,
    ) -> Result<Entry, KeyringError> {
        let now = self.0.clock.now();
        match step {
            Step::Fenced { position } => {
                let fence = include_str!("sql/fence_erasure.sql");
                self.change(fence, &[&subject.0, &now, &position]).await?;
            }
            Step::Destroyed { keys, last_root } => {
                let root = last_root.map(|root| root.0);
                let destroy = include_str!("sql/destroy_erasure.sql");
                self.change(destroy, &[&subject.0, &now, &keys, &root]).await?;
            }
            Step::Completed => {
                self.change(include_str!("sql/complete_erasure.sql"), &[&subject.0, &now]).await?;
            }
            Step::BackupProven => {
                self.change(include_str!("sql/prove_erasure.sql"), &[&subject.0, &now]).await?;
            }
        }
        let entry = self.ledger_entry(subject).await?;
        let entry = entry.ok_or(KeyringError::NotInLedger(subject))?;
        if entry.state < step.leads_to() {
            let (from, to) = (entry.state.name(), step.leads_to().name());
            return Err(KeyringError::Step { from, to });
        }
        Ok(entry)
    }

    pub async fn ledger_open(&self) -> Result<Open, KeyringError> {
        const DAYS_28: TimeDelta = TimeDelta::days(28);
        let client = self.0.pool.get().await?;
        let count = include_str!("sql/count_open_erasures.sql");
        let row = client.query_one(count, &[&(self.0.clock.now() - DAYS_28)]).await?;
        Ok(Open {
            count: row.try_get("count")?,
            oldest: row.try_get("oldest")?,
            overdue: row.try_get("overdue")?,
        })
    }

    /// After a restore of the events: the erasures whose fence must stand, and whose reservations must
    /// be released, before serving; in the order of their subjects, from after `after`.
    pub async fn ledger_fences(
        &self,
        after: Option<SubjectId>,
        limit: i64,
    ) -> Result<Vec<Entry>, KeyringError> {
        let after = after.map(|after| after.0);
        self.entries(include_str!("sql/list_fences.sql"), &[&after, &limit]).await
    }

    async fn change(&self, sql: &str, with: &[Parameter<'_>]) -> Result<u64, KeyringError> {
        Ok(self.0.pool.get().await?.execute(sql, with).await?)
    }

    async fn entries(&self, sql: &str, with: &[Parameter<'_>]) -> Result<Vec<Entry>, KeyringError> {
        let rows = self.0.pool.get().await?.query(sql, with).await?;
        rows.iter().map(Entry::read).collect()
    }
}
