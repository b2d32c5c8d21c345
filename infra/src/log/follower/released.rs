//! Released streams: a parked stream is read from its poisonous event up to the checkpoint, page by page.

use std::time::Duration;

use super::{Follower, ParkedStreams};
use crate::log::Poison;
use crate::log::activity::ReaderStage;
use crate::log::checkpoint::ReadStats;
use crate::log::parked::{self, ParkedRow};
use crate::log::rows::Order;
use crate::log::work::{Poisoned, Stop, Work};

/// What a page of a released stream came to.
enum ReleasedPage {
    /// The stream is read on from here.
    Next(i64),
    Parked,
    Done,
}

impl Follower {
    /// Loads which streams are parked, at first and when one is released, and reads the released ones.
    pub(super) async fn load_parked(&mut self) -> Result<(), Stop> {
        if !self.news.has_released(self.id()) && self.parked.is_loaded {
            return Ok(());
        }
        let client = self.pool.get().await?;
        let rows = parked::load(&client, self.id()).await?;
        drop(client);
        self.parked =
            ParkedStreams { streams: rows.iter().map(|row| row.stream).collect(), is_loaded: true };
        for row in rows.into_iter().filter(|row| row.released) {
            self.release(row).await?;
        }
        Ok(())
    }

    /// Reads a stream up to the checkpoint, and unparks it; if an event is still poisonous, it stays parked
    /// there. One that this node does not end, the next owner of the reader reads on.
    async fn release(&mut self, mut row: ParkedRow) -> Result<(), Stop> {
        self.write_checkpoint(Duration::ZERO).await?;
        while !self.stopped() {
            match self.release_page(row).await {
                Ok(ReleasedPage::Next(position)) => row.from_position = position,
                Ok(ReleasedPage::Parked) => break,
                Ok(ReleasedPage::Done) => {
                    tracing::info!(reader = self.owned.name, stream = %row.stream, "stream released");
                    self.parked.streams.remove(&row.stream);
                    break;
                }
                Err(Stop::Data(why)) => return self.park_again(row, why).await,
                // It is parked before this reader's position: no other stream waits for it.
                Err(Stop::Damaged(event)) => return self.park_again(row, event.to_string()).await,
                Err(stop) => return Err(stop),
            }
        }
        Ok(())
    }

    /// One transaction, which also makes the reader's lease longer.
    async fn release_page(&mut self, row: ParkedRow) -> Result<ReleasedPage, Stop> {
        self.activity.begin(ReaderStage::Parked);
        let (position, at) = (self.owned.position, self.owned.reached());
        let mut client = self.connection().await?;
        let mut tx = client.transaction().await?;
        if !self.owned.advance(&tx, position, at, ReadStats::default()).await? {
            return Err(Stop::Lost);
        }
        let range = (row.from_position, position);
        let page = parked::stream(&tx, row.stream, range, self.options.page).await?;
        let (events, unknown) = self.reader.known(&page, self.options.newest_version);
        let wanted: Vec<_> = events.iter().filter(|event| self.reader.reads(event)).collect();
        let mut work = Work::of(&self.reader, &self.reader.view().unwrap_or_default());
        let outcome = work.process(&mut tx, &wanted, Order::Released).await?;
        work.finish(&tx).await?;
        let (mut next, mut unavailable) = (events.last().map(|last| last.position() + 1), None);
        let mut poisoned = outcome.poisoned.into_iter().next();
        if let Some((reached, why)) = outcome.stopped_at {
            (next, unavailable) = (Some(reached + 1), why);
        } else if events.is_empty() {
            poisoned = poisoned.or_else(|| unknown.map(|event| event.poisons(row.stream)));
        }
        let released = match (&poisoned, next) {
            (Some(poisoned), _) => {
                parked::park(&tx, self.id(), 0, poisoned).await?;
                ReleasedPage::Parked
            }
            (None, Some(next)) => {
                parked::advance(&tx, self.id(), row.stream, next).await?;
                ReleasedPage::Next(next)
            }
            (None, None) => {
                parked::delete(&tx, self.id(), row.stream).await?;
                ReleasedPage::Done
            }
        };
        tx.commit().await?;
        unavailable.map_or(Ok(released), |why| Err(Stop::Unavailable(why)))
    }

    async fn park_again(&self, row: ParkedRow, why: String) -> Result<(), Stop> {
        let (stream, position) = (row.stream, row.from_position);
        let mut client = self.pool.get().await?;
        let tx = client.transaction().await?;
        let poisoned = Poisoned { stream, position, poison: Poison::Unfit(why) };
        parked::park(&tx, self.id(), 0, &poisoned).await?;
        Ok(tx.commit().await?)
    }
}
