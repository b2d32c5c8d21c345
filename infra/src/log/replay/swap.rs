//! The end of a replay: the tail under the checkpoint's lock, then the new table in the old one's
//! place, with the checkpoint, in one transaction.

use std::time::Duration;

use tokio_postgres::error::SqlState;

use super::{DELETE_PARKED, Progress, RELEASE, Replay, ReplayError, shadow_table};
use crate::failpoint;
use crate::log::rows::Source;
use crate::log::{Feed, FeedError, parked};
use crate::postgres::PgError;

const LIVE_POSITION: &str =
    "select position from readers.checkpoints where name = $1 and version = $2";
const LIMIT_LOCK_WAIT: &str = "set local lock_timeout = '500ms'";
const LOCK_CHECKPOINT: &str =
    "select position from readers.checkpoints where name = $1 and version = $2 for update";
const KEEP_PARKED: &str =
    "update readers.parked set replay = false where reader = $1 and version = $2 and replay";
const RESTART_READER: &str = include_str!("restart_reader.sql");
const SWAP: &str = "drop table {live}; alter table {shadow} rename to {name}";

/// So few events may be folded while the reader and the table wait.
const TAIL: i64 = 2000;
const TRIES: u32 = 120;
const PAUSE: Duration = Duration::from_millis(250);

impl Replay<'_> {
    pub(super) async fn swap(
        &mut self,
        progress: &mut (impl FnMut(Progress) + Send),
    ) -> Result<i64, ReplayError> {
        let mut tries = 0;
        loop {
            self.check_cancelled()?;
            let live = self.live_position().await?;
            if live - self.folded > TAIL {
                self.read_to(live, progress).await?;
                continue;
            }
            tries += 1;
            let events = self.fold.events;
            match self.try_swap().await {
                Err(Refused::Busy) if tries < TRIES => {
                    // What the transaction had folded went with it.
                    self.fold.rows.clear();
                    self.fold.events = events;
                    (self.whole, self.folded) = (false, self.written);
                    tokio::time::sleep(PAUSE).await;
                }
                Err(Refused::Busy) => return Err(PgError::Busy.into()),
                Err(Refused::Error(error)) => return Err(error),
                Ok(through) => return Ok(through),
            }
        }
    }

    async fn live_position(&self) -> Result<i64, ReplayError> {
        let position = self.client.prepare_cached(LIVE_POSITION).await?;
        let (name, version) = (self.reader.name(), self.reader.version());
        Ok(self.client.query_one(&position, &[&name, &version]).await?.try_get(0)?)
    }

    async fn try_swap(&mut self) -> Result<i64, Refused> {
        let (name, version) = (self.reader.name(), self.reader.version());
        let (live, shadow) = (self.projection.view(), shadow_table(self.projection.as_ref()));
        let tx = self.client.transaction().await?;
        tx.batch_execute(LIMIT_LOCK_WAIT).await?;
        let position: i64 = tx.query_one(LOCK_CHECKPOINT, &[&name, &version]).await?.try_get(0)?;
        // What was folded may be of events that the log has lost since.
        self.watermark.compare_in(&tx).await.map_err(FeedError::from)?;
        while self.folded < position {
            let mut events = Feed::page(&tx, self.folded, TAIL).await?;
            events.retain(|event| event.position() <= position);
            self.folded = events.last().map_or(position, super::Recorded::position);
            if let (_, Some(unknown)) = self.reader.known(&events, self.options.newest_version) {
                return Err(ReplayError::from(unknown).into());
            }
            events.retain(|event| self.reader.reads(event));
            let wanted = self.fold.wanted(&events);
            self.fold.rows.load(Source::Live(&tx), &wanted).await?;
            self.fold.fold(&wanted);
        }
        self.fold.rows.write(&tx).await?;
        for poisoned in &self.fold.poisoned {
            parked::park(&tx, (name, version), 0, poisoned).await?;
        }
        tx.execute(DELETE_PARKED, &[&name, &version, &false]).await?;
        tx.execute(KEEP_PARKED, &[&name, &version]).await?;
        if tx.execute(RELEASE, &[&name, &version, &self.lease.fence]).await? == 0 {
            return Err(ReplayError::Lost.into());
        }
        tx.execute(RESTART_READER, &[&name, &version, &self.folded]).await?;
        let renamed = live.rsplit('.').next().unwrap_or_default();
        let swap = SWAP.replace("{live}", &live);
        let swap = swap.replace("{shadow}", &shadow).replace("{name}", renamed);
        tx.batch_execute(&swap).await?;
        tx.commit().await?;
        failpoint!(ReplaySwapped);
        Ok(self.folded)
    }
}

enum Refused {
    /// Somebody held the table or the checkpoint for longer than the lock's limit.
    Busy,
    Error(ReplayError),
}

impl From<ReplayError> for Refused {
    fn from(error: ReplayError) -> Self {
        Self::Error(error)
    }
}

impl From<FeedError> for Refused {
    fn from(error: FeedError) -> Self {
        Self::Error(error.into())
    }
}

impl From<tokio_postgres::Error> for Refused {
    fn from(error: tokio_postgres::Error) -> Self {
        match error.code() {
            Some(&SqlState::LOCK_NOT_AVAILABLE | &SqlState::T_R_DEADLOCK_DETECTED) => Self::Busy,
            _ => Self::Error(error.into()),
        }
    }
}
