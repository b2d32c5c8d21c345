//! Released streams: a parked stream is read from its poisonous event up to the checkpoint, page by page, into one
//! generation after the other.

use std::time::Duration;

use super::Follower;
use super::others::Written;
use crate::log::activity::ReaderStage;
use crate::log::checkpoint::ReadStats;
use crate::log::parked::{self, ParkedRow};
use crate::log::rows::Order;
use crate::log::work::{Poisoned, Stop, Work};
use crate::log::{Poison, generation};
use crate::postgres::Transaction;

/// What a page of a released stream came to.
enum ReleasedPage {
    /// The stream is read on from here.
    Next(i64),
    Parked,
    Done,
}

impl Follower {
    /// Loads which tables the reader writes and which streams are parked, at first and when one is released, and reads
    /// the released ones.
    pub(super) async fn load_parked(&mut self) -> Result<(), Stop> {
        if !self.news.has_released(self.id()) && self.targets.is_loaded {
            return Ok(());
        }
        let client = self.pool.get().await?;
        let rows = self.targets.load(&client, &self.reader).await?;
        drop(client);
        for row in rows.into_iter().filter(|row| row.released) {
            self.release(row).await?;
        }
        Ok(())
    }

    /// Reads a stream up to the checkpoint, and unparks it; if an event is still poisonous, it stays parked
    /// there. One that this node does not end, the next owner of the reader reads on.
    async fn release(&mut self, mut row: ParkedRow) -> Result<(), Stop> {
        // It may have failed since.
        let Some(followed) = self.targets.of(row.generation) else { return Ok(()) };
        let table = followed.table.clone();
        self.write_checkpoint(Duration::ZERO).await?;
        while !self.stopped() {
            match self.release_page(row, &table).await {
                Ok(ReleasedPage::Next(position)) => row.from_position = position,
                Ok(ReleasedPage::Parked) => break,
                Ok(ReleasedPage::Done) => {
                    let (reader, generation) = (self.owned.name, row.generation);
                    tracing::info!(reader, generation, stream = %row.stream, "stream released");
                    self.targets.unpark(row.generation, row.stream);
                    break;
                }
                Err(Stop::Data(why)) => return self.park_again(row, why).await,
                // It is parked before this reader's position: no other stream waits for it.
                Err(Stop::Damaged(event)) => return self.park_again(row, event.to_string()).await,
                Err(stop @ (Stop::Refused(_) | Stop::Unavailable(_))) => {
                    let why = self.targets.judge(row.generation, stop)?;
                    return self.fail(row.generation, why).await;
                }
                Err(stop) => return Err(stop),
            }
        }
        Ok(())
    }

    /// One transaction, which also makes the reader's lease longer.
    async fn release_page(&mut self, row: ParkedRow, table: &str) -> Result<ReleasedPage, Stop> {
        self.activity.begin(ReaderStage::Parked);
        let mut client = self.connection().await?;
        let mut tx = client.transaction().await?;
        self.hold(&tx).await?;
        let range = (row.from_position, self.owned.position);
        let page = parked::stream(&tx, row.stream, range, self.options.page).await?;
        let (events, unknown) = self.reader.known(&page, self.options.newest_version);
        let wanted: Vec<_> = events.iter().filter(|event| self.reader.reads(event)).collect();
        let mut work = Work::of(&self.reader, table);
        let outcome = work.process(&mut tx, &wanted, Order::Released).await?;
        work.finish(&tx).await?;
        let (mut next, mut unavailable) = (events.last().map(|last| last.position() + 1), None);
        let mut poisoned = outcome.poisoned.into_iter().next();
        if let Some((reached, why)) = outcome.stopped_at {
            (next, unavailable) = (Some(reached + 1), why);
        } else if events.is_empty() {
            poisoned = poisoned.or_else(|| unknown.map(|event| event.poisons(row.stream)));
        }
        let (id, generation) = (self.id(), row.generation);
        let released = match (&poisoned, next) {
            (Some(poisoned), _) => {
                parked::park(&tx, id, generation, poisoned).await?;
                ReleasedPage::Parked
            }
            (None, Some(next)) => {
                parked::advance(&tx, id, generation, row.stream, next).await?;
                ReleasedPage::Next(next)
            }
            (None, None) => {
                parked::delete(&tx, id, generation, row.stream).await?;
                ReleasedPage::Done
            }
        };
        tx.commit().await?;
        unavailable.map_or(Ok(released), |why| Err(Stop::Unavailable(why)))
    }

    /// Holds the checkpoint where it is until the commit: only the reader's owner does, and nobody changes meanwhile
    /// what it writes.
    async fn hold(&self, tx: &Transaction<'_>) -> Result<(), Stop> {
        let at = self.owned.reached();
        let held = self.owned.advance(tx, at.position, at, ReadStats::default()).await?;
        if held { Ok(()) } else { Err(Stop::Lost) }
    }

    async fn park_again(&self, row: ParkedRow, why: String) -> Result<(), Stop> {
        let (stream, position) = (row.stream, row.from_position);
        let mut client = self.pool.get().await?;
        let tx = client.transaction().await?;
        self.hold(&tx).await?;
        let poisoned = Poisoned { stream, position, poison: Poison::Unfit(why) };
        parked::park(&tx, self.id(), row.generation, &poisoned).await?;
        Ok(tx.commit().await?)
    }

    /// A generation that is not live keeps no release up.
    async fn fail(&mut self, generation: i32, why: String) -> Result<(), Stop> {
        let mut client = self.pool.get().await?;
        let tx = client.transaction().await?;
        self.hold(&tx).await?;
        generation::fail(&tx, self.id(), generation, &why).await?;
        tx.commit().await?;
        self.targets.committed(&self.reader, vec![Written { generation, outcome: Err(why) }]);
        Ok(())
    }
}
