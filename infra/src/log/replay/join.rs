//! The end of a replay: the tail under the checkpoint's lock, in the transaction that makes the generation one that the
//! reader writes.

use std::time::Duration;

use super::{Progress, Replay, ReplayError};
use crate::failpoint;
use crate::log::any_projection::AnyProjection;
use crate::log::rows::Source;
use crate::log::{Feed, FeedError, GenerationState, Recorded, generation, parked};
use crate::postgres::{PgError, Transaction};

const LIVE_READER: &str = include_str!("live_reader.sql");
const LIMIT_LOCK_WAIT: &str = "set local lock_timeout = '500ms'";
/// As a `copy` locks it, which would end the connection where it waits in vain.
const LOCK_TABLE: &str = "lock table {table} in row exclusive mode";
const DROP_OTHERS: &str = include_str!("drop_others.sql");
const JOIN: &str = include_str!("join.sql");
const MOVE_READER: &str = include_str!("move_reader.sql");
const JOINED: &str = GenerationState::Joined.as_str();
const LIVE: &str = GenerationState::Live.as_str();
const EARLIER: &[&str] = &[JOINED];
/// All that the reader writes.
const WRITTEN: &[&str] = &[LIVE, JOINED, GenerationState::Kept.as_str()];

/// So few events may be folded while the reader waits.
const TAIL: i64 = 2000;
const TRIES: u32 = 120;
/// So often a reader is waited for that has not come as far as the replay.
const BEHIND_TRIES: u32 = 40;
const PAUSE: Duration = Duration::from_millis(250);

/// How a replay has ended.
pub(super) struct Joined {
    pub through: i64,
    /// It is live already, since it has events that the reader had not come to.
    pub is_live: bool,
}

struct LiveReader {
    position: i64,
    is_read: bool,
}

impl Replay<'_> {
    pub(super) async fn join(
        &mut self,
        progress: &mut (impl FnMut(Progress) + Send),
    ) -> Result<Joined, ReplayError> {
        let (mut tries, mut behind, mut seen) = (0, 0, 0);
        loop {
            self.check_cancelled()?;
            let live = self.live_reader().await?;
            if live.position - self.folded > TAIL {
                self.read_to(live.position, progress).await?;
                continue;
            }
            if live.position < self.folded && self.waits_for(&live, behind)? {
                let reads_on = self.is_patient(&live) && live.position > seen;
                behind = if reads_on { 0 } else { behind + 1 };
                seen = live.position;
                tokio::time::sleep(PAUSE).await;
                continue;
            }
            tries += 1;
            let events = self.fold.events;
            match self.try_join().await {
                Err(Refused::Busy) if tries < TRIES => {
                    // What the transaction had folded went with it.
                    self.fold.forget_unwritten();
                    self.fold.events = events;
                    (self.whole, self.folded) = (false, self.written);
                    tokio::time::sleep(PAUSE).await;
                }
                Err(Refused::Busy) => return Err(PgError::Busy.into()),
                Err(Refused::Error(error)) => return Err(error),
                Ok(joined) => return Ok(joined),
            }
        }
    }

    async fn live_reader(&self) -> Result<LiveReader, ReplayError> {
        let find = self.client.prepare_cached(LIVE_READER).await?;
        let (name, version) = (self.reader.name(), self.reader.version());
        let row = self.client.query_one(&find, &[&name, &version]).await?;
        Ok(LiveReader { position: row.try_get(0)?, is_read: row.try_get(1)? })
    }

    /// What is shown is to stay, or is nearly whole and to be kept: its reader is waited for as long as it reads on.
    const fn is_patient(&self, live: &LiveReader) -> bool {
        let is_near = self.folded - live.position <= TAIL;
        !self.options.promote || (self.options.keep.0.is_some() && is_near)
    }

    /// Two generations that the reader writes have the same events.
    fn waits_for(&self, live: &LiveReader, behind: u32) -> Result<bool, ReplayError> {
        match (behind < BEHIND_TRIES, self.options.promote) {
            (true, _) => Ok(live.is_read || self.is_patient(live)),
            (false, true) => Ok(false),
            (false, false) => {
                Err(ReplayError::Behind { position: live.position, built: self.folded })
            }
        }
    }

    async fn try_join(&mut self) -> Result<Joined, Refused> {
        let (name, version) = (self.reader.name(), self.reader.version());
        let tx = self.client.transaction().await?;
        tx.batch_execute(LIMIT_LOCK_WAIT).await?;
        let (position, _) = generation::lock_checkpoint(&tx, (name, version)).await?;
        // What was folded may be of events that the log has lost since.
        self.watermark.compare_in(&tx).await.map_err(FeedError::from)?;
        while self.folded < position {
            let mut events = Feed::page(&tx, self.folded, TAIL).await?;
            events.retain(|event| event.position() <= position);
            self.folded = events.last().map_or(position, Recorded::position);
            if let (_, Some(unknown)) = self.reader.known(&events, self.options.newest_version) {
                return Err(ReplayError::from(unknown).into());
            }
            events.retain(|event| self.reader.reads(event));
            let wanted = self.fold.wanted(&events);
            self.fold.rows.load(Source::Live(&tx), &wanted).await?;
            self.fold.fold(&wanted);
        }
        tx.batch_execute(&LOCK_TABLE.replace("{table}", &self.table)).await?;
        self.fold.rows.write(&tx).await?;
        for poisoned in &self.fold.poisoned {
            parked::park(&tx, (name, version), self.generation, poisoned).await?;
        }
        let is_live = position < self.folded;
        if is_live && !self.options.promote {
            // It has gone back since it was looked at.
            return Err(Refused::Busy);
        }
        let built = Built {
            generation: self.generation,
            fence: self.lease.fence,
            table: &self.table,
            through: self.folded,
            is_live,
        };
        let dropped = enter(&tx, self.projection.as_ref(), built).await?;
        generation::free_checkpoint(&tx, (name, version)).await?;
        tx.commit().await?;
        failpoint!(ReplayJoined);
        for number in dropped {
            generation::drop_now_or_later(&mut self.client, (name, version, number)).await;
        }
        if is_live && self.options.keep.0.is_some() {
            tracing::warn!(
                reader = name,
                position,
                "it was behind: what it has written is not kept"
            );
        }
        Ok(Joined { through: self.folded, is_live })
    }
}

/// A generation that is whole.
struct Built<'a> {
    generation: i32,
    fence: i64,
    table: &'a str,
    through: i64,
    is_live: bool,
}

/// The reader writes it beside the live one, in place of one that was joined earlier. If it has come further than the reader,
/// that goes on behind it: the others would lack what is between. Those that are written no more are to be dropped.
async fn enter(
    tx: &Transaction<'_>,
    projection: &dyn AnyProjection,
    Built { generation, fence, table, through, is_live }: Built<'_>,
) -> Result<Vec<i32>, Refused> {
    let (name, version) = (projection.name(), projection.version());
    let (others, state) = if is_live { (WRITTEN, LIVE) } else { (EARLIER, JOINED) };
    let dropped = tx.query(DROP_OTHERS, &[&name, &version, &others]).await?;
    let join = tx.prepare_cached(JOIN).await?;
    let joined =
        tx.execute(&join, &[&name, &version, &generation, &fence, &through, &state]).await?;
    if joined == 0 {
        return Err(ReplayError::Lost.into());
    }
    if is_live {
        tx.batch_execute(generation::LIMIT_TABLE_WAIT).await?;
        generation::show_table(tx, &projection.view(), table).await?;
        tx.execute(MOVE_READER, &[&name, &version, &generation, &through]).await?;
    }
    let dropped = dropped.iter().map(|row| row.try_get(0));
    Ok(dropped.collect::<Result<_, tokio_postgres::Error>>()?)
}

enum Refused {
    /// Somebody held a table or the checkpoint for longer than the lock's limit.
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
        if generation::is_busy(&error) { Self::Busy } else { Self::Error(error.into()) }
    }
}
