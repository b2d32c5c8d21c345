//! The generations that are not live, written beside the live one: in its transaction, each under savepoints of its own.
//! One that cannot be written fails, and the live one goes on.

use uuid::Uuid;

use super::targets::{Followed, Targets};
use crate::log::rows::Order;
use crate::log::work::{Poisoned, Stop, Work};
use crate::log::{Poison, Reader, Recorded, generation, parked};
use crate::postgres::Transaction;

/// A generation for which more streams would be parked fails: its fold is wrong, not the events.
const PARKED_MAX: usize = 1000;
/// So often it is tried to write a generation while the database gives a reason that may pass.
const TRIES: usize = 3;

/// What a page came to for a generation that is not live.
pub(super) struct Written {
    pub generation: i32,
    /// The streams that it passes over from now on; or why it has failed.
    pub outcome: Result<Vec<Uuid>, String>,
}

impl Targets {
    /// Writes a page into those that are not live. An error: the whole page is to be tried again. It is never that a
    /// value was refused: that is of the live one.
    pub(super) async fn write_others(
        &mut self,
        reader: &Reader,
        tx: &mut Transaction<'_>,
        events: &[Recorded],
    ) -> Result<Vec<Written>, Stop> {
        let id = (reader.name(), reader.version());
        let mut written = Vec::new();
        for other in &mut self.others {
            let wanted = other.wanted(reader, events);
            if wanted.is_empty() {
                continue;
            }
            let generation = other.generation;
            let outcome = match other.write(reader, tx, &wanted).await? {
                Ok(poisoned) => {
                    for poisoned in &poisoned {
                        parked::park(tx, id, generation, poisoned).await?;
                    }
                    Ok(poisoned.iter().map(|poisoned| poisoned.stream).collect())
                }
                Err(why) => {
                    generation::fail(tx, id, generation, &why).await?;
                    Err(why)
                }
            };
            written.push(Written { generation, outcome });
        }
        Ok(written)
    }

    /// What was written is committed.
    pub(super) fn committed(&mut self, reader: &Reader, written: Vec<Written>) {
        for Written { generation, outcome } in written {
            match outcome {
                Ok(parked) => {
                    let others = self.others.iter_mut();
                    for other in others.filter(|other| other.generation == generation) {
                        other.failures.clear();
                        other.parked.extend(&parked);
                    }
                }
                Err(error) => {
                    tracing::error!(
                        reader = reader.name(),
                        generation,
                        error,
                        "a generation has failed: it is written no more"
                    );
                    self.others.retain(|other| other.generation != generation);
                }
            }
        }
    }

    /// Why the generation fails after this; or the error again: of the live one, or if another try may be better.
    pub(super) fn judge(&mut self, generation: i32, stop: Stop) -> Result<String, Stop> {
        match self.others.iter_mut().find(|other| other.generation == generation) {
            Some(other) => other.judge(stop),
            None => Err(stop),
        }
    }
}

impl Followed {
    /// The streams that are to be parked for it; or why it fails.
    async fn write(
        &mut self,
        reader: &Reader,
        tx: &mut Transaction<'_>,
        wanted: &[&Recorded],
    ) -> Result<Result<Vec<Poisoned>, String>, Stop> {
        // The connection went with the last try, or the commit.
        if self.failures.len() >= TRIES
            && let Some(why) = self.failures.last()
        {
            return Ok(Err(why.clone()));
        }
        match self.fold_or_park(reader, tx, wanted).await {
            // One that was live may have more: of the events of an outage.
            Ok(poisoned)
                if !poisoned.is_empty() && self.parked.len() + poisoned.len() > PARKED_MAX =>
            {
                Ok(Err(format!("more than {PARKED_MAX} streams do not fit: the fold is wrong")))
            }
            Ok(poisoned) => Ok(Ok(poisoned)),
            Err(stop) => self.judge(stop).map(Err),
        }
    }

    fn judge(&mut self, stop: Stop) -> Result<String, Stop> {
        if let Stop::Refused(why) = stop {
            return Ok(why);
        }
        self.failures.push(stop.to_string());
        if self.failures.len() < TRIES { Err(stop) } else { Ok(stop.to_string()) }
    }

    /// As for the live one, an event that the database refuses parks its stream.
    async fn fold_or_park(
        &self,
        reader: &Reader,
        tx: &mut Transaction<'_>,
        wanted: &[&Recorded],
    ) -> Result<Vec<Poisoned>, Stop> {
        match self.fold(reader, tx, wanted).await {
            // One of them is refused: one at a time, to find which.
            Err(Stop::Data(_)) => {}
            other => return other,
        }
        let mut poisoned: Vec<Poisoned> = Vec::new();
        for &event in wanted {
            let stream = event.stream_id();
            if poisoned.iter().any(|poisoned| poisoned.stream == stream) {
                continue;
            }
            match self.fold(reader, tx, &[event]).await {
                Ok(of_one) => poisoned.extend(of_one),
                Err(Stop::Data(why)) => {
                    let (position, poison) = (event.position(), Poison::Unfit(why));
                    poisoned.push(Poisoned { stream, position, poison });
                }
                Err(stop) => return Err(stop),
            }
        }
        Ok(poisoned)
    }

    /// All of it or nothing. Without the connection nothing of the transaction is left, either.
    async fn fold(
        &self,
        reader: &Reader,
        tx: &mut Transaction<'_>,
        events: &[&Recorded],
    ) -> Result<Vec<Poisoned>, Stop> {
        let mut point = tx.transaction().await?;
        let mut work = Work::of(reader, &self.table);
        let folded = match work.process(&mut point, events, Order::Log).await {
            Ok(outcome) => work.finish(&point).await.map(|()| outcome.poisoned),
            Err(stop) => Err(stop),
        };
        match folded {
            Ok(poisoned) => {
                point.commit().await?;
                Ok(poisoned)
            }
            Err(stop) => {
                point.rollback().await?;
                Err(stop)
            }
        }
    }
}
