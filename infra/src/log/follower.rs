//! The loop of one reader that this node owns: a page of events, its rows and the checkpoint in
//! one transaction.

mod others;
mod released;
mod targets;

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::timeout;

use super::activity::{Activity, ReaderStage};
use super::alarm::Alarms;
use super::checkpoint::{OwnedReader, Reached, ReadStats};
use super::parked;
use super::poll::News;
use super::positions::Waiters;
use super::reader::ReaderKind;
use super::rows::Order;
use super::tail::Tail;
use super::unknown::UnknownEvent;
use super::work::{Poisoned, Stop, Work, WorkOutcome};
use super::{Poison, Reader, ReaderOptions, Recorded};
use crate::failpoint;
use crate::postgres::{OuterClient, PgError, Pool};
pub(super) use targets::Targets;

const PAUSE_MIN: Duration = Duration::from_millis(50);
const PAUSE_MAX: Duration = Duration::from_secs(5);

/// One reader that this node owns, and what it reads with.
pub(super) struct Follower {
    pub reader: Reader,
    pub owned: OwnedReader,
    pub pool: Pool,
    pub tail: Arc<Tail>,
    pub news: News,
    pub stop: watch::Receiver<bool>,
    pub options: ReaderOptions,
    pub alarms: Alarms,
    pub targets: Targets,
    pub waiters: Waiters,
    pub activity: Arc<Activity>,
    /// Why this node has started it again.
    pub stood_still: Option<String>,
}

/// How much of a page the log had.
enum PageRead {
    Empty,
    Partial,
    /// There may be more.
    Full,
}

impl Follower {
    /// Reads until it is stopped, until another node owns the reader, or up to an event that has to be
    /// left to newer nodes, which it answers.
    pub(super) async fn run(mut self) -> Option<UnknownEvent> {
        let unknown = self.follow().await;
        // Otherwise the next owner reads again what this one has passed over.
        if let Err(error) = self.write_checkpoint(Duration::ZERO).await {
            tracing::debug!(reader = self.owned.name, %error, "the last checkpoint was not written");
        }
        if let Some(unknown) = unknown.clone() {
            self.record_error(Some(Stop::Unknown(unknown))).await;
        }
        unknown
    }

    async fn follow(&mut self) -> Option<UnknownEvent> {
        let mut pause = PAUSE_MIN;
        let mut failed = false;
        if let Some(why) = self.stood_still.take() {
            self.record_error(Some(Stop::Unavailable(why))).await;
        }
        while !self.stopped() {
            let found = self.step().await;
            self.waiters.reached(self.owned.position);
            if found.is_ok() && failed {
                self.activity.go_on();
                self.record_error(None).await;
                (pause, failed) = (PAUSE_MIN, false);
            }
            match found {
                Ok(PageRead::Full) => {}
                Ok(PageRead::Partial) => self.wait_between_pages().await,
                Ok(PageRead::Empty) => self.wait_for_more().await,
                Err(Stop::Unknown(event)) => return Some(event),
                Err(Stop::Lost) => {
                    tracing::info!(reader = self.owned.name, "another node has taken over");
                    return None;
                }
                Err(Stop::WentBack(_)) => return None,
                Err(stop) => {
                    self.activity.fail(stop.to_string());
                    if !self.record_error(Some(stop)).await {
                        tracing::info!(reader = self.owned.name, "another node has taken over");
                        return None;
                    }
                    failed = true;
                    self.wait(pause).await;
                    pause = (pause * 2).min(PAUSE_MAX);
                }
            }
        }
        None
    }

    async fn step(&mut self) -> Result<PageRead, Stop> {
        self.activity.begin(ReaderStage::Parked);
        self.load_parked().await?;
        self.activity.begin(ReaderStage::Page);
        let (position, limit) = (self.owned.position, self.options.page);
        let page = self.tail.page(&self.pool, position, limit).await?;
        self.alarms.end();
        let newest_version = self.options.newest_version;
        let (events, unknown) = page.known_after(position, &self.reader, newest_version);
        if events.is_empty() {
            if let Some(event) = unknown {
                return Err(Stop::Unknown(event));
            }
            self.write_checkpoint(self.options.checkpoint_delay).await?;
        }
        match self.read(events).await {
            // One of them is refused: one at a time, to find which.
            Err(Stop::Data(_)) => {
                for one in events.chunks(1) {
                    self.read_or_park(one).await?;
                }
            }
            other => other?,
        }
        Ok(match i64::try_from(events.len()).unwrap_or(limit) {
            0 => PageRead::Empty,
            found if found < limit && unknown.is_none() => PageRead::Partial,
            _ => PageRead::Full,
        })
    }

    async fn read(&mut self, events: &[Recorded]) -> Result<(), Stop> {
        let Some(last) = events.last() else { return Ok(()) };
        let (from, mut to) = (self.owned.written, Reached::from(last));
        if !self.targets.want_any(&self.reader, events) {
            self.owned.read(to);
            return self.write_checkpoint(self.options.checkpoint_delay_busy).await;
        }
        self.activity.begin(ReaderStage::Connection);
        let mut client = self.connection().await?;
        self.activity.begin(ReaderStage::Working);
        let mut tx = client.transaction().await?;
        let wanted = self.targets.live.wanted(&self.reader, events);
        let read = ReadStats {
            processed: i64::try_from(wanted.len()).unwrap_or_default(),
            last_event_at: wanted.last().map(|event| event.recorded_at()),
        };
        if !self.owned.advance(&tx, from, to, read).await? {
            return Err(Stop::Lost);
        }
        let mut work = Work::of(&self.reader, &self.targets.live.table);
        let outcome = work.process(&mut tx, &wanted, Order::Log).await?;
        work.finish(&tx).await?;
        let WorkOutcome { poisoned, processed, stopped_at } = outcome;
        let mut unavailable = None;
        if let Some((reached, why)) = stopped_at {
            unavailable = why;
            let back = ReadStats { processed: processed - read.processed, last_event_at: None };
            let reached = Reached { position: reached, event: None };
            if !self.owned.advance(&tx, to.position, reached, back).await? {
                return Err(Stop::Lost);
            }
            to = reached;
        }
        for poisoned in &poisoned {
            parked::park(&tx, self.id(), self.targets.live.generation, poisoned).await?;
        }
        let others = self.targets.write_others(&self.reader, &mut tx, events).await?;
        failpoint!(ProjectionWritten if self.reader.kind() == "projection");
        failpoint!(WorkerReacted if self.reader.kind() == "worker");
        tx.commit().await?;
        failpoint!(ProjectionCommitted if self.reader.kind() == "projection");
        self.owned.wrote(to);
        self.targets.live.parked.extend(poisoned.iter().map(|poisoned| poisoned.stream));
        self.targets.committed(&self.reader, others);
        unavailable.map_or(Ok(()), |why| Err(Stop::Unavailable(why)))
    }

    /// A worker takes other connections of the pool while it reacts in its transaction.
    async fn connection(&self) -> Result<OuterClient, PgError> {
        match &self.reader.0 {
            ReaderKind::Worker(_) => OuterClient::of(&self.pool).await,
            ReaderKind::Projection(_) => Ok(self.pool.get().await?.into()),
        }
    }

    /// Reads a single event; one that the database refuses parks its stream for the live generation.
    async fn read_or_park(&mut self, event: &[Recorded]) -> Result<(), Stop> {
        let (why, refused) = match (self.read(event).await, event.first()) {
            // A stream that waits already stays where it does.
            (Err(Stop::Data(why)), Some(refused))
                if !self.targets.live.parked.contains(&refused.stream_id()) =>
            {
                (why, refused)
            }
            (other, _) => return other,
        };
        let (stream, to) = (refused.stream_id(), Reached::from(refused));
        let position = to.position;
        let mut client = self.pool.get().await?;
        let mut tx = client.transaction().await?;
        if !self.owned.advance(&tx, self.owned.written, to, ReadStats::default()).await? {
            return Err(Stop::Lost);
        }
        let poisoned = Poisoned { stream, position, poison: Poison::Unfit(why) };
        parked::park(&tx, self.id(), self.targets.live.generation, &poisoned).await?;
        let others = self.targets.write_others(&self.reader, &mut tx, event).await?;
        tx.commit().await?;
        self.owned.wrote(to);
        self.targets.live.parked.insert(stream);
        self.targets.committed(&self.reader, others);
        Ok(())
    }

    /// Writes how far it has read to its checkpoint, if that has said less for `delay`.
    async fn write_checkpoint(&mut self, delay: Duration) -> Result<(), Stop> {
        if self.owned.write_in(delay).is_none_or(|left| !left.is_zero()) {
            return Ok(());
        }
        self.activity.begin(ReaderStage::Checkpoint);
        if self.owned.write(&self.pool).await? { Ok(()) } else { Err(Stop::Lost) }
    }

    const fn id(&self) -> (&'static str, i16) {
        (self.owned.name, self.owned.version)
    }

    /// `false`: another node owns the reader. One that has stopped would not learn it otherwise.
    async fn record_error(&mut self, stop: Option<Stop>) -> bool {
        let name = self.owned.name;
        match &stop {
            Some(Stop::Hole { at }) => {
                self.alarms.hole.set(true);
                tracing::error!(reader = name, at, "the log has a hole: the reader has stopped");
            }
            Some(Stop::Damaged(event)) => {
                self.alarms.damaged.set(true);
                tracing::error!(reader = name, error = %event, "the reader has stopped");
            }
            Some(Stop::Unknown(event)) => {
                tracing::warn!(reader = name, error = %event, "this node leaves the reader to newer ones");
            }
            Some(stop) => tracing::warn!(reader = name, error = %stop, "the reader tries again"),
            None => tracing::info!(reader = name, "the reader goes on"),
        }
        let error = stop.map(|stop| stop.to_string());
        let recorded = self.owned.record_error(&self.pool, error.as_deref()).await;
        recorded.unwrap_or_else(|error| {
            tracing::warn!(reader = name, %error, "the reader's error was not written to its checkpoint");
            true
        })
    }

    /// A sender that is gone counts as a stop.
    fn stopped(&self) -> bool {
        *self.stop.borrow() || self.stop.has_changed().is_err()
    }

    async fn wait(&mut self, pause: Duration) {
        // Both a stop and the end of the pause end the wait.
        let _ = timeout(pause, self.stop.wait_for(|stop| *stop)).await;
    }

    /// Whoever waits for a position on this node is not kept for the whole delay.
    async fn wait_between_pages(&mut self) {
        self.activity.begin(ReaderStage::Waiting);
        let ReaderOptions { page_delay, page_delay_min, .. } = self.options;
        self.wait(page_delay_min).await;
        let awaited = self.waiters.awaited(self.owned.position);
        tokio::select! {
            _ = self.stop.wait_for(|stop| *stop) => {}
            _ = timeout(page_delay.saturating_sub(page_delay_min), awaited) => {}
        }
    }

    async fn wait_for_more(&mut self) {
        self.activity.begin(ReaderStage::Waiting);
        let write_in = self.owned.write_in(self.options.checkpoint_delay);
        let write = async {
            match write_in {
                Some(left) => tokio::time::sleep(left).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            _ = self.stop.wait_for(|stop| *stop) => {}
            () = write => {}
            () = self.news.wait(self.owned.position) => {}
        }
    }
}
