//! The newest event that all nodes know, in one row of the keyring's database.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};

use domain::EventId;
use tokio_postgres::Row;
use tokio_postgres::types::ToSql;

use super::{CompareError, NewestEvent, Watermark, WentBack};
use crate::postgres::{PgError, Pool};
use crate::statement::{execute, query_opt};
use crate::trouble::LastTry;

const READ: &str = "select position, event_id, restores, noticed_at, lost_through, restored_through
from keyring.watermark";
const RAISE: &str = include_str!("raise.sql");
const NOTICE: &str = include_str!("notice.sql");
const BEGIN_RESTORE: &str = include_str!("begin_restore.sql");
const FINISH_RESTORE: &str = include_str!("finish_restore.sql");

/// What a start finds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Known {
    /// No node of this version has run: whether the log was restored is not known.
    Nothing,
    /// The log holds the newest event that is known.
    Same,
    /// The log went back, and no start has dealt with it.
    WentBack,
}

/// What a log lost, as far as is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lost {
    /// The newest position that was known of it.
    pub through: i64,
    /// Where the log ended when its restore was found. What stands up to here was there before, or
    /// came after a fork that nobody saw.
    pub head: i64,
    /// How many restores were dealt with before this one.
    pub restores: i64,
}

/// Keeps the newest event of a [`Watermark`] in the keyring's database too. Nothing is written there before
/// [`Durable::begin_keeping`]: a command only reads it, since it may have been given another log than the
/// nodes of this keyring have. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Durable {
    pub(super) watermark: Watermark,
    log: Pool,
    keyring: Pool,
    pub(super) shared: Arc<Shared>,
}

#[derive(Debug, Default)]
pub(super) struct Shared {
    /// What the row says at least.
    pub(super) position: AtomicI64,
    pub(super) kept: LastTry,
    /// The number of restores that had been dealt with when this node started.
    restores: AtomicI64,
    restored_through: AtomicI64,
    /// The start of this node has dealt with what it found. Until then it may act, and the row stays as
    /// it is.
    keeps: AtomicBool,
    /// How many raises were begun.
    pub(super) begun: AtomicU64,
    raised: tokio::sync::Mutex<Raised>,
}

/// How the last raise ended: it serves whoever waited for it.
#[derive(Debug, Default)]
struct Raised {
    number: u64,
    failed: Option<String>,
}

struct Stored {
    mark: NewestEvent,
    restores: i64,
    noticed: bool,
    lost_through: Option<i64>,
    restored_through: i64,
}

impl Durable {
    /// `log` and `keyring` lead to the events' database and to the keyring's.
    pub fn new(watermark: Watermark, log: Pool, keyring: Pool) -> Self {
        Self { watermark, log, keyring, shared: Arc::default() }
    }

    /// What is known in memory.
    pub const fn watermark(&self) -> &Watermark {
        &self.watermark
    }

    /// How often the log went back and a start has dealt with it, as far as this node knows.
    pub fn restores(&self) -> i64 {
        self.shared.restores.load(Ordering::Relaxed)
    }

    /// A worker does not act outside because of an event of this position or an earlier one: the log was
    /// restored up to here, and before that it may have acted. 0: it was never restored.
    pub fn restored_through(&self) -> i64 {
        self.shared.restored_through.load(Ordering::Relaxed)
    }

    /// Compares the log with what the nodes before this one knew. A log that went back stops this node;
    /// [`Self::begin_restore`] writes it down.
    ///
    /// # Errors
    /// It could not look.
    pub async fn load(&self) -> Result<Known, PgError> {
        let Some(stored) = self.read().await? else {
            self.compare().await?;
            return Ok(Known::Nothing);
        };
        self.shared.restores.store(stored.restores, Ordering::Relaxed);
        self.shared.position.store(stored.mark.position, Ordering::Relaxed);
        self.shared.restored_through.store(stored.restored_through, Ordering::Relaxed);
        self.watermark.raise(stored.mark);
        if stored.noticed {
            self.watermark.notice(WentBack::Noticed);
            return Ok(Known::WentBack);
        }
        let client = self.log.get().await?;
        match self.watermark.compare_with(&client, Some(stored.mark)).await {
            Ok(()) => Ok(Known::Same),
            Err(CompareError::WentBack(_)) => Ok(Known::WentBack),
            Err(error) => Err(error.into()),
        }
    }

    /// The start of this node has dealt with what it found: from here on it keeps the row up to date, and
    /// makes it if there is none.
    ///
    /// # Errors
    /// As of [`Self::secure`].
    pub async fn begin_keeping(&self) -> Result<(), CompareError> {
        self.shared.keeps.store(true, Ordering::Relaxed);
        self.raise().await
    }

    pub(super) async fn compare(&self) -> Result<(), CompareError> {
        let client = self.log.get().await.map_err(PgError::from)?;
        self.watermark.compare(&client).await
    }

    async fn read(&self) -> Result<Option<Stored>, PgError> {
        let row = query_opt(&self.keyring, READ, &[]).await?;
        Ok(row.as_ref().map(Stored::of).transpose()?)
    }

    /// Call it before something is done outside because of an event: compares the log with what this node
    /// and all others know, and writes down its last event, so that a restore to a time before it is
    /// noticed.
    ///
    /// # Errors
    /// [`WentBack`]; or it could not look or write. Then do not act.
    pub async fn secure(&self) -> Result<(), CompareError> {
        self.compare().await?;
        self.raise().await
    }

    /// Reads what all nodes know, compares the log with it, and writes down what this node knew when it was
    /// called, if that is more. Those who wait together share one that was begun after they came.
    pub(super) async fn raise(&self) -> Result<(), CompareError> {
        if !self.shared.keeps.load(Ordering::Relaxed) {
            return Ok(());
        }
        let before = self.shared.begun.load(Ordering::SeqCst);
        let mut raised = self.shared.raised.lock().await;
        if raised.number > before {
            self.watermark.check()?;
            return raised.failed.clone().map_or(Ok(()), |why| Err(PgError::Database(why).into()));
        }
        let number = self.shared.begun.fetch_add(1, Ordering::SeqCst) + 1;
        let result = self.raise_now().await;
        *raised = Raised { number, failed: result.as_ref().err().map(ToString::to_string) };
        result
    }

    async fn raise_now(&self) -> Result<(), CompareError> {
        // What is learned meanwhile is for the next.
        let mark = self.watermark.newest();
        loop {
            let stored = self.read().await?;
            if let Some(stored) = &stored {
                self.agree(stored).await?;
            }
            let Some(mark) = mark else { return Ok(()) };
            let is_known = |stored: &Stored| {
                stored.mark.position >= mark.position && stored.restores >= self.restores()
            };
            // Where another node was faster, its mark has to be compared, too.
            if stored.as_ref().is_some_and(is_known) || self.replace(stored, mark).await? {
                self.shared.position.fetch_max(mark.position, Ordering::Relaxed);
                return Ok(());
            }
        }
    }

    /// Whether the log is the one that the other nodes know: one of them may have seen events that this
    /// node has not.
    async fn agree(&self, stored: &Stored) -> Result<(), CompareError> {
        if stored.restores > self.restores() {
            return Err(self.watermark.notice(WentBack::DealtWith).into());
        }
        if stored.noticed {
            return Err(self.watermark.notice(WentBack::Noticed).into());
        }
        let is_of_an_older_log = stored.restores < self.restores();
        if is_of_an_older_log || self.watermark.newest() == Some(stored.mark) {
            return Ok(());
        }
        let client = self.log.get().await.map_err(PgError::from)?;
        self.watermark.compare_with(&client, Some(stored.mark)).await
    }

    /// `false`: the row is not the one that was read any more.
    async fn replace(&self, old: Option<Stored>, new: NewestEvent) -> Result<bool, PgError> {
        let (restores, restored_through) = (self.restores(), self.restored_through());
        let old = old.map(|old| (old.mark.position, old.mark.event.0)).unzip();
        let values: [&(dyn ToSql + Sync); 6] =
            [&new.position, &new.event.0, &restores, &restored_through, &old.0, &old.1];
        Ok(execute(&self.keyring, RAISE, &values).await? > 0)
    }

    /// Writes down that the log went back, so that the next start deals with it even where the keyring's
    /// database went back too. Nothing is written when a start has dealt with it already.
    ///
    /// # Errors
    /// The keyring's database does not answer.
    pub async fn notice(&self) -> Result<(), PgError> {
        match self.watermark.newest() {
            Some(mark) => self.write_down(mark).await,
            None => Ok(()),
        }
    }

    async fn write_down(&self, mark: NewestEvent) -> Result<(), PgError> {
        let (restores, restored_through) = (self.restores(), self.restored_through());
        let values: [&(dyn ToSql + Sync); 4] =
            [&mark.position, &mark.event.0, &restores, &restored_through];
        execute(&self.keyring, NOTICE, &values).await.map(drop)
    }

    /// Begins what a restore needs, or goes on with it: from here on this node may append again. `None`:
    /// there is nothing to do, since another start has done it. What was found is written down first, so that
    /// a start after this one goes on.
    ///
    /// # Errors
    /// A database does not answer.
    pub async fn begin_restore(&self) -> Result<Option<Lost>, PgError> {
        self.watermark.forget();
        if self.load().await? != Known::WentBack {
            return Ok(None);
        }
        let Some(stored) = self.read().await? else { return Ok(None) };
        self.write_down(stored.mark).await?;
        self.watermark.forget();
        self.compare().await?;
        let row = query_opt(&self.keyring, BEGIN_RESTORE, &[&self.watermark.position()]).await?;
        let Some(row) = row else { return Ok(None) };
        let head = row.try_get(0)?;
        self.shared.restored_through.store(head, Ordering::Relaxed);
        let through = stored.lost_through.unwrap_or(stored.mark.position);
        Ok(Some(Lost { through, head, restores: stored.restores }))
    }

    /// What a restore needs is done: the log is known as it is now.
    ///
    /// # Errors
    /// A database does not answer.
    pub async fn finish_restore(&self) -> Result<(), PgError> {
        self.compare().await?;
        let Some(mark) = self.watermark.newest() else { return Ok(()) };
        let restores = self.restores();
        let values: [&(dyn ToSql + Sync); 3] = [&mark.position, &mark.event.0, &restores];
        execute(&self.keyring, FINISH_RESTORE, &values).await?;
        self.shared.restores.store(restores + 1, Ordering::Relaxed);
        self.shared.position.store(mark.position, Ordering::Relaxed);
        Ok(())
    }
}

impl Stored {
    fn of(row: &Row) -> Result<Self, tokio_postgres::Error> {
        let noticed_at: Option<chrono::DateTime<chrono::Utc>> = row.try_get("noticed_at")?;
        Ok(Self {
            mark: NewestEvent {
                position: row.try_get("position")?,
                event: EventId(row.try_get("event_id")?),
            },
            restores: row.try_get("restores")?,
            noticed: noticed_at.is_some(),
            lost_through: row.try_get("lost_through")?,
            restored_through: row.try_get("restored_through")?,
        })
    }
}
