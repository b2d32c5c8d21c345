//! One erasure in the ledger: its subject and its state.

use chrono::{DateTime, Utc};
use domain::{RunId, ServerId, SubjectId};
use tokio_postgres::Row;
use uuid::Uuid;

use super::{KeyringError, RootId};

domain::named_enum! {
    /// The state of an erasure, in the order in which it reaches them.
    #[derive(PartialOrd, Ord)]
    pub enum ErasureState {
        /// It can still be cancelled.
        Requested = "requested",
        /// Ended without an erasure. A new request is a new entry.
        Cancelled = "cancelled",
        /// The fence stands: nothing more is appended for the subject.
        Fenced = "fenced",
        /// The keys are erased. Stored as `destroyed`.
        KeysErased = "destroyed",
        /// The log has the closing event, and no node can open a value of the subject.
        Completed = "completed",
        /// No backup of the keyring can open a value of the subject either.
        BackupProven = "backup_proven",
    }
}

domain::named_enum! {
    /// What kind of subject is erased.
    pub enum SubjectKind {
        /// A person: the subject's id is the account's.
        Account = "account",
        /// The subject's id is the workspace's.
        Workspace = "workspace",
    }
}

/// A stage that an erasure has reached, with the data that is recorded about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErasureStage {
    /// The fence stands: nothing more is appended for the subject.
    Fenced {
        /// The log's last position when the fence was raised.
        position: i64,
    },
    /// The keys are erased and the working rows deleted.
    KeysErased {
        /// How many keys the subject ever had.
        keys: i64,
        /// The youngest root key that ever wrapped one of them, or a shard key of one; `None` where there were no
        /// keys.
        last_root: Option<RootId>,
    },
    /// See [`ErasureState::Completed`].
    Completed,
    /// See [`ErasureState::BackupProven`].
    BackupProven,
}

impl ErasureStage {
    pub(super) const fn state(self) -> ErasureState {
        match self {
            Self::Fenced { .. } => ErasureState::Fenced,
            Self::KeysErased { .. } => ErasureState::KeysErased,
            Self::Completed => ErasureState::Completed,
            Self::BackupProven => ErasureState::BackupProven,
        }
    }
}

/// A run that may go on on a server, which was not reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names of the fields say what they hold")]
pub struct RunLeft {
    pub run: RunId,
    pub server: ServerId,
}

/// The runs of a workspace that were not ended on their servers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RunsLeft {
    /// The first 1,000 of them.
    pub listed: Vec<RunLeft>,
    /// How many they are.
    pub count: usize,
}

impl RunsLeft {
    const LISTED_MAX: usize = 1000;

    /// Counts one more, and lists it if there is room.
    pub fn push(&mut self, left: RunLeft) {
        self.count += 1;
        if self.listed.len() < Self::LISTED_MAX {
            self.listed.push(left);
        }
    }

    /// As two columns. Where the list is cut, the number of all follows the servers: former versions pass over it.
    pub(super) fn columns(&self) -> (Vec<Uuid>, Vec<Uuid>) {
        let runs = self.listed.iter().map(|left| left.run.0).collect();
        let servers = self.listed.iter().map(|left| left.server.0);
        let is_cut = self.count > self.listed.len();
        let count = is_cut.then(|| Uuid::from_u128(self.count as u128));
        (runs, servers.chain(count).collect())
    }

    fn from_columns(runs: &[Uuid], servers: &[Uuid]) -> Self {
        let pairs = runs.iter().zip(servers);
        let listed: Vec<_> = pairs
            .map(|(&run, &server)| RunLeft { run: RunId(run), server: ServerId(server) })
            .collect();
        let count = servers.get(runs.len()).and_then(|count| count.as_u128().try_into().ok());
        Self { count: count.unwrap_or(listed.len()), listed }
    }
}

fn runs_left(row: &Row) -> Result<Option<RunsLeft>, KeyringError> {
    let runs: Option<Vec<Uuid>> = row.try_get("runs_left")?;
    let servers: Option<Vec<Uuid>> = row.try_get("runs_left_servers")?;
    Ok(runs.zip(servers).map(|(runs, servers)| RunsLeft::from_columns(&runs, &servers)))
}

/// One erasure: a row of the ledger. A time is `None` until its stage is reached.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names of the fields say what they hold")]
pub struct ErasureEntry {
    pub kind: SubjectKind,
    pub subject: SubjectId,
    pub state: ErasureState,
    /// The deadline of the GDPR is counted from here.
    pub requested_at: DateTime<Utc>,
    /// The end of the grace period.
    pub due: DateTime<Utc>,
    /// SHA-256 of the code that asks for the certificate.
    pub claim_code_hash: [u8; 32],
    /// The log is not known to have the request yet. What it never had, no restore can have lost.
    pub append_pending: bool,
    pub cancelled_at: Option<DateTime<Utc>>,
    pub fenced_at: Option<DateTime<Utc>>,
    /// The log's last position when the fence was raised.
    pub fenced_at_position: Option<i64>,
    pub keys_erased_at: Option<DateTime<Utc>>,
    /// How many keys were erased.
    pub keys: Option<i64>,
    /// The youngest root key that ever wrapped the subject's keys, or a shard key of theirs. A younger one where another
    /// history of the keyring may have wrapped them: then also for a subject without keys. Else `None` for such a one.
    pub last_root: Option<RootId>,
    /// Of a workspace, the runs that were not ended on their servers. `None`: an account, or not known.
    pub runs_left: Option<RunsLeft>,
    pub completed_at: Option<DateTime<Utc>>,
    pub backup_proven_at: Option<DateTime<Utc>>,
}

impl ErasureEntry {
    pub(super) fn from_row(row: &Row) -> Result<Self, KeyringError> {
        let hash: &[u8] = row.try_get("claim_code_hash")?;
        let kind = SubjectKind::parse(row.try_get("kind")?);
        let state = ErasureState::parse(row.try_get("state")?);
        Ok(Self {
            kind: kind.ok_or(KeyringError::Damaged)?,
            subject: SubjectId(row.try_get("subject")?),
            state: state.ok_or(KeyringError::Damaged)?,
            requested_at: row.try_get("requested_at")?,
            due: row.try_get("due")?,
            claim_code_hash: hash.try_into().map_err(|_| KeyringError::Damaged)?,
            append_pending: row.try_get("append_pending")?,
            cancelled_at: row.try_get("cancelled_at")?,
            fenced_at: row.try_get("fenced_at")?,
            fenced_at_position: row.try_get("fenced_at_position")?,
            keys_erased_at: row.try_get("destroyed_at")?,
            keys: row.try_get("keys")?,
            last_root: row.try_get::<_, Option<i64>>("last_root")?.map(RootId),
            runs_left: runs_left(row)?,
            completed_at: row.try_get("completed_at")?,
            backup_proven_at: row.try_get("backup_proven_at")?,
        })
    }
}

/// The erasures that are requested and not completed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OpenErasures {
    /// How many they are; [`Self::COUNTED_MAX`]: as many or more.
    pub count: i64,
    /// When the oldest of them was requested.
    pub oldest: Option<DateTime<Utc>>,
    /// Those on their 29th day or later; [`Self::COUNTED_MAX`]: as many or more.
    pub overdue: i64,
}

impl OpenErasures {
    /// No more are counted, so that it does not grow with what waits.
    pub const COUNTED_MAX: i64 = 1000;
}
