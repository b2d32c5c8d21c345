//! The erasure ledger: the requested erasures and their states.

use chrono::{DateTime, Utc};
use domain::SubjectId;
use domain::privacy::deadlines::OVERDUE_AFTER;
use tokio_postgres::types::ToSql;
use uuid::Uuid;

use super::{
    ErasureEntry, ErasureStage, ErasureState, KeyringError, OpenErasures, RunsLeft, SubjectKind,
};
use crate::clock::Clock;
use crate::postgres::Pool;

const REQUEST: &str = include_str!("sql/request_erasure.sql");
const CANCEL: &str = "update keyring.erasures
set state = 'cancelled', cancelled_at = $2, append_pending = false
where subject = $1 and state = 'requested' and ($3::timestamptz is null or requested_at <= $3)";
const HASTEN: &str = "update keyring.erasures set due = $2
where subject = $1 and state = 'requested' and not append_pending and due > $2 and requested_at <= $3";
const CONFIRM: &str = include_str!("sql/confirm_erasure.sql");
const TAKE_BACK: &str = "update keyring.erasures set state = 'cancelled', cancelled_at = $2
where claim_code_hash = $1 and state = 'requested' and append_pending";
const READ: &str = "select * from keyring.erasures where subject = $1
order by state = 'cancelled', requested_at desc limit 1";
const READ_REQUESTED: &str = include_str!("sql/read_requested_erasure.sql");
const LIST_OF_SUBJECT: &str =
    "select * from keyring.erasures where subject = $1 order by requested_at desc";
const LIST_PENDING: &str = include_str!("sql/list_pending_erasures.sql");
const READ_BY_CODE: &str = "select * from keyring.erasures where claim_code_hash = $1";
const LIST_DUE: &str = include_str!("sql/list_due_erasures.sql");
const COUNT_DUE: &str = include_str!("sql/count_due_erasures.sql");
const LIST_REQUESTED: &str = include_str!("sql/list_requested_erasures.sql");
const LIST_UNDER_WAY: &str = include_str!("sql/list_erasures_under_way.sql");
const LIST_PROVABLE: &str = include_str!("sql/list_provable_erasures.sql");
const HAS_WORK: &str = include_str!("sql/has_erasure_work.sql");
const LIST_FENCED: &str = include_str!("sql/list_fenced_erasures.sql");
/// The one with the oldest last root has waited longest.
const FIND_OLDEST_UNPROVEN: &str = "select requested_at from keyring.erasures
where state = 'completed' order by coalesce(last_root, 0) limit 1";
const COUNT_OPEN: &str = include_str!("sql/count_open_erasures.sql");
const NOTE_FENCED: &str = "update keyring.erasures
set state = 'fenced', fenced_at = $2, fenced_at_position = $3, append_pending = false
where subject = $1 and state = 'requested'";
const NOTE_RUNS_LEFT: &str = "update keyring.erasures
set runs_left = $2, runs_left_servers = $3
where subject = $1 and state = 'fenced' and runs_left is null";
const NOTE_KEYS_ERASED: &str = include_str!("sql/note_keys_erased.sql");
const NOTE_COMPLETED: &str = "update keyring.erasures
set state = 'completed', completed_at = $2 where subject = $1 and state = 'destroyed'";
const NOTE_BACKUP_PROVEN: &str = "update keyring.erasures
set state = 'backup_proven', backup_proven_at = $2 where subject = $1 and state = 'completed'";

/// A subject has at most one erasure that is not cancelled. The ledger is in the keyring's
/// database, which is not restored together with the events. After a restore of the events it lists
/// what must be erased again before anything is served.
///
/// Every method fails with [`KeyringError::Database`] when the database does not answer, and with
/// [`KeyringError::Damaged`] when a row holds what no version wrote.
#[derive(Clone)]
pub struct ErasureLedger {
    pool: Pool,
    clock: Clock,
}

/// An erasure that is entered before its request is appended to the log.
#[derive(Clone, Copy, Debug)]
pub struct NewErasure {
    /// Of the subject.
    pub kind: SubjectKind,
    /// Who or what is to be erased.
    pub subject: SubjectId,
    /// The deadline of the GDPR is counted from here.
    pub requested_at: DateTime<Utc>,
    /// The end of the grace period.
    pub due: DateTime<Utc>,
    /// SHA-256 of the claim code.
    pub claim_code_hash: [u8; 32],
}

type Parameter<'a> = &'a (dyn ToSql + Sync);

impl ErasureLedger {
    pub(super) const fn new(pool: Pool, clock: Clock) -> Self {
        Self { pool, clock }
    }

    /// Records a request that the log has, made now. If an erasure is open already, returns that one
    /// unchanged: compare `claim_code_hash` to know whether it is yours.
    pub async fn request(
        &self,
        kind: SubjectKind,
        subject: SubjectId,
        due: DateTime<Utc>,
        claim_code_hash: [u8; 32],
    ) -> Result<ErasureEntry, KeyringError> {
        let requested_at = self.clock.now();
        let new = NewErasure { kind, subject, requested_at, due, claim_code_hash };
        self.insert(&new, false).await
    }

    /// Records a request that is about to be appended to the log. Call [`Self::confirm`] when it is,
    /// and [`Self::take_back`] when it is not. If an erasure is open already, returns that one
    /// unchanged, like [`Self::request`].
    pub async fn enter(&self, new: &NewErasure) -> Result<ErasureEntry, KeyringError> {
        self.insert(new, true).await
    }

    async fn insert(&self, new: &NewErasure, pending: bool) -> Result<ErasureEntry, KeyringError> {
        let NewErasure { kind, subject, requested_at, due, claim_code_hash } = new;
        let (kind, code) = (kind.as_str(), claim_code_hash.as_slice());
        let row: [Parameter<'_>; 6] = [&subject.0, &kind, requested_at, due, &code, &pending];
        self.change(REQUEST, &row).await?;
        let entry = self.entries(READ_REQUESTED, &[&subject.0, &code]).await?.pop();
        entry.ok_or(KeyringError::NotInLedger(*subject))
    }

    /// The log has the request of this entry, and the erasure is due then. Also opens an entry that
    /// was taken back too early. `false`: nothing was changed, since it was confirmed or cancelled
    /// before, or another erasure of the subject is open.
    pub async fn confirm(
        &self,
        claim_code_hash: [u8; 32],
        due: DateTime<Utc>,
    ) -> Result<bool, KeyringError> {
        Ok(self.change(CONFIRM, &[&claim_code_hash.as_slice(), &due]).await? == 1)
    }

    /// The log has the erasure due earlier than it was requested for, as was known at `now`. Changes nothing once it is
    /// fenced, or where it is due by then, or where it was requested later than `now`.
    pub async fn hasten(
        &self,
        subject: SubjectId,
        due: DateTime<Utc>,
        now: DateTime<Utc>,
    ) -> Result<(), KeyringError> {
        self.change(HASTEN, &[&subject.0, &due, &now]).await.map(drop)
    }

    /// Cancels an entry whose request was not appended. `false`: nothing was changed, since it was
    /// confirmed or cancelled before.
    pub async fn take_back(&self, claim_code_hash: [u8; 32]) -> Result<bool, KeyringError> {
        let now = self.clock.now();
        Ok(self.change(TAKE_BACK, &[&claim_code_hash.as_slice(), &now]).await? == 1)
    }

    /// The entries that were made by `until`, and neither confirmed nor taken back, without the first `skip`.
    pub async fn pending(
        &self,
        until: DateTime<Utc>,
        limit: i64,
        skip: i64,
    ) -> Result<Vec<ErasureEntry>, KeyringError> {
        self.entries(LIST_PENDING, &[&until, &limit, &skip]).await
    }

    /// Whether the erasure is cancelled. `false` once it is fenced, or when there is none.
    pub async fn cancel(&self, subject: SubjectId) -> Result<bool, KeyringError> {
        self.change(CANCEL, &[&subject.0, &self.clock.now(), &None::<DateTime<Utc>>]).await?;
        let entry = self.entry(subject).await?;
        Ok(entry.is_some_and(|entry| entry.state == ErasureState::Cancelled))
    }

    /// Cancels the erasure that was requested by `at`; a later request stays.
    pub async fn cancel_requested_by(
        &self,
        subject: SubjectId,
        at: DateTime<Utc>,
    ) -> Result<(), KeyringError> {
        self.change(CANCEL, &[&subject.0, &self.clock.now(), &Some(at)]).await?;
        Ok(())
    }

    /// The subject's erasure: the one that is not cancelled, else the last that was.
    pub async fn entry(&self, subject: SubjectId) -> Result<Option<ErasureEntry>, KeyringError> {
        Ok(self.entries(READ, &[&subject.0]).await?.pop())
    }

    /// Every erasure of the subject, the latest first.
    pub async fn entries_of(&self, subject: SubjectId) -> Result<Vec<ErasureEntry>, KeyringError> {
        self.entries(LIST_OF_SUBJECT, &[&subject.0]).await
    }

    /// The erasure that was recorded with this SHA-256 of a claim code.
    pub async fn entry_by_code(
        &self,
        claim_code_hash: [u8; 32],
    ) -> Result<Option<ErasureEntry>, KeyringError> {
        Ok(self.entries(READ_BY_CODE, &[&claim_code_hash.as_slice()]).await?.pop())
    }

    /// The erasures that are due at `now` and not completed, the longest due first, without the first `skip`.
    pub async fn due(
        &self,
        now: DateTime<Utc>,
        limit: i64,
        skip: i64,
    ) -> Result<Vec<ErasureEntry>, KeyringError> {
        self.entries(LIST_DUE, &[&now, &limit, &skip]).await
    }

    /// How many of them are due since `since`; at most `limit` are counted.
    pub async fn count_due(
        &self,
        (since, now): (DateTime<Utc>, DateTime<Utc>),
        limit: i64,
    ) -> Result<i64, KeyringError> {
        let client = self.pool.get().await?;
        Ok(client.query_one(COUNT_DUE, &[&since, &now, &limit]).await?.try_get(0)?)
    }

    /// At most `limit` erasures that are requested and not fenced, the longest due first, from the first
    /// after `after`.
    pub async fn requested(
        &self,
        after: Option<&ErasureEntry>,
        limit: i64,
    ) -> Result<Vec<ErasureEntry>, KeyringError> {
        let (due, subject) = (after.map(|last| last.due), after.map(|last| last.subject.0));
        self.entries(LIST_REQUESTED, &[&due, &subject, &limit]).await
    }

    /// The erasures that are fenced and not completed, the longest due first.
    pub async fn under_way(&self) -> Result<Vec<ErasureEntry>, KeyringError> {
        self.entries(LIST_UNDER_WAY, &[]).await
    }

    /// The completed erasures of which no root key that wrapped the subject's keys is left, nor an
    /// escrow of one, without the first `skip`.
    pub async fn provable(&self, limit: i64, skip: i64) -> Result<Vec<ErasureEntry>, KeyringError> {
        self.entries(LIST_PROVABLE, &[&limit, &skip]).await
    }

    /// Whether [`Self::pending`], [`Self::due`] or [`Self::provable`] lists any besides those of `without`, in one
    /// statement.
    pub async fn has_work(
        &self,
        until: DateTime<Utc>,
        now: DateTime<Utc>,
        without: &[SubjectId],
    ) -> Result<bool, KeyringError> {
        let without: Vec<Uuid> = without.iter().map(|subject| subject.0).collect();
        let client = self.pool.get().await?;
        let has_work = client.prepare_cached(HAS_WORK).await?;
        Ok(client.query_one(&has_work, &[&until, &now, &without]).await?.try_get(0)?)
    }

    /// Records that an erasure has reached a stage. If the stage was recorded before, returns that row
    /// unchanged.
    ///
    /// # Errors
    /// [`KeyringError::StageSkipped`] unless the stage before was recorded;
    /// [`KeyringError::NotInLedger`] for a subject without an erasure.
    pub async fn advance(
        &self,
        subject: SubjectId,
        stage: ErasureStage,
    ) -> Result<ErasureEntry, KeyringError> {
        let now = self.clock.now();
        match stage {
            ErasureStage::Fenced { position } => {
                self.change(NOTE_FENCED, &[&subject.0, &now, &position]).await?;
            }
            ErasureStage::KeysErased { keys, last_root } => {
                let root = last_root.map(|root| root.0);
                self.change(NOTE_KEYS_ERASED, &[&subject.0, &now, &keys, &root]).await?;
            }
            ErasureStage::Completed => {
                self.change(NOTE_COMPLETED, &[&subject.0, &now]).await?;
            }
            ErasureStage::BackupProven => {
                self.change(NOTE_BACKUP_PROVEN, &[&subject.0, &now]).await?;
            }
        }
        let entry = self.entry(subject).await?;
        let entry = entry.ok_or(KeyringError::NotInLedger(subject))?;
        if entry.state < stage.state() {
            let (from, to) = (entry.state.as_str(), stage.state().as_str());
            return Err(KeyringError::StageSkipped { from, to });
        }
        Ok(entry)
    }

    /// Records of a fenced workspace which runs were not ended on their servers, once. Without it none is left when its
    /// keys are erased.
    ///
    /// # Errors
    /// [`KeyringError::Database`].
    pub async fn note_runs_left(
        &self,
        subject: SubjectId,
        left: &RunsLeft,
    ) -> Result<(), KeyringError> {
        let (runs, servers) = left.columns();
        self.change(NOTE_RUNS_LEFT, &[&subject.0, &runs, &servers]).await?;
        Ok(())
    }

    /// When the completed erasure was requested whose backups have waited longest for the end of their root key.
    /// `None`: of each completed erasure that is proven.
    ///
    /// # Errors
    /// [`KeyringError::Database`].
    pub async fn oldest_unproven(&self) -> Result<Option<DateTime<Utc>>, KeyringError> {
        let client = self.pool.get().await?;
        let row = client.query_opt(FIND_OLDEST_UNPROVEN, &[]).await?;
        Ok(row.map(|row| row.try_get(0)).transpose()?)
    }

    /// Counts the erasures that are requested and not completed; at most [`OpenErasures::COUNTED_MAX`] are counted.
    pub async fn open(&self) -> Result<OpenErasures, KeyringError> {
        let client = self.pool.get().await?;
        let count = client.prepare_cached(COUNT_OPEN).await?;
        let row = client.query_one(&count, &[&(self.clock.now() - OVERDUE_AFTER)]).await?;
        Ok(OpenErasures {
            count: row.try_get("count")?,
            oldest: row.try_get("oldest")?,
            overdue: row.try_get("overdue")?,
        })
    }

    /// For use after a restore of the events: the erasures whose fence must stand before anything
    /// is served, in the order of their subjects, from the first after `after`.
    pub async fn fenced(
        &self,
        after: Option<SubjectId>,
        limit: i64,
    ) -> Result<Vec<ErasureEntry>, KeyringError> {
        let after = after.map(|after| after.0);
        self.entries(LIST_FENCED, &[&after, &limit]).await
    }

    async fn change(&self, sql: &str, with: &[Parameter<'_>]) -> Result<u64, KeyringError> {
        Ok(self.pool.get().await?.execute(sql, with).await?)
    }

    async fn entries(
        &self,
        sql: &str,
        with: &[Parameter<'_>],
    ) -> Result<Vec<ErasureEntry>, KeyringError> {
        let client = self.pool.get().await?;
        let list = client.prepare_cached(sql).await?;
        let rows = client.query(&list, with).await?;
        rows.iter().map(ErasureEntry::from_row).collect()
    }
}
