//! The newest event that is known, so that a log that went back is noticed: after a failover without
//! its tail, or a restore under running nodes.
//!
//! A node knows it in memory; all nodes together in the keyring's database ([`Durable`]). It is
//! compared with the log on each new connection of the pool, each page, each append and each poll.

mod durable;
mod error;
mod keep;
mod note;
#[cfg(test)]
mod tests;

use std::sync::{Arc, Mutex, PoisonError};

use domain::EventId;
use prometheus::IntGauge;
use tokio::sync::watch;
use tokio_postgres::{Client, Row, Statement};
use uuid::Uuid;

pub use durable::{Durable, Known, Lost};
pub use error::{CompareError, WentBack};
pub(crate) use note::NOTE_RESTORE;
pub use note::{RestoreNote, lock_restores, note_restore, take_back_note};

use crate::outbox::note_failover;
use crate::postgres::{Hook, HookError, PgError, PoolClient, Transaction};

/// The statement of [`Watermark::compare_on`].
pub(crate) const LOOK: &str = include_str!("look.sql");

/// An event of the log: where it stands, and which it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the sentence above says what they are")]
pub struct NewestEvent {
    pub position: i64,
    pub event: EventId,
}

/// What was read of the log for a comparison.
#[derive(Clone, Copy, Debug)]
pub(super) struct Seen {
    /// The event at the position of the mark.
    pub known: Option<EventId>,
    /// The last event; `None`: the log is empty.
    pub head: Option<NewestEvent>,
    pub standby: bool,
}

/// The newest event that this node knows, and whether the log was found to lack it. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Watermark(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    newest: Mutex<Option<NewestEvent>>,
    went_back: watch::Sender<Option<WentBack>>,
    alarm: Option<IntGauge>,
}

impl Default for Watermark {
    fn default() -> Self {
        Self::with(None)
    }
}

impl Watermark {
    /// `alarm` becomes 1 once the log went back.
    pub fn new(alarm: IntGauge) -> Self {
        Self::with(Some(alarm))
    }

    fn with(alarm: Option<IntGauge>) -> Self {
        let (newest, went_back) = (Mutex::default(), watch::Sender::new(None));
        Self(Arc::new(Inner { newest, went_back, alarm }))
    }

    /// The newest event that this node knows.
    pub fn newest(&self) -> Option<NewestEvent> {
        *self.0.newest.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The position of [`Self::newest`]; 0 when it knows none.
    pub fn position(&self) -> i64 {
        position(self.newest())
    }

    /// This event is in the log.
    pub fn raise(&self, mark: NewestEvent) {
        let mut newest = self.0.newest.lock().unwrap_or_else(PoisonError::into_inner);
        if newest.is_none_or(|known| known.position < mark.position) {
            *newest = Some(mark);
        }
    }

    /// What stops this node; it changes once.
    pub fn went_back(&self) -> watch::Receiver<Option<WentBack>> {
        self.0.went_back.subscribe()
    }

    /// Refuses whatever serves, appends or acts once the log went back.
    ///
    /// # Errors
    /// [`WentBack`].
    pub fn check(&self) -> Result<(), WentBack> {
        self.0.went_back.borrow().map_or(Ok(()), Err)
    }

    /// Compares the log that `client` leads to with what this node knows, and learns its last event.
    ///
    /// # Errors
    /// [`WentBack`], which then also stops this node; or it could not look, which says nothing.
    pub async fn compare(&self, client: &PoolClient) -> Result<(), CompareError> {
        self.compare_with(client, self.newest()).await
    }

    async fn compare_with(
        &self,
        client: &PoolClient,
        known: Option<NewestEvent>,
    ) -> Result<(), CompareError> {
        let look = client.prepare_cached(LOOK).await.map_err(PgError::from)?;
        self.look(known, client.query_one(&look, &[&position(known)])).await
    }

    /// As [`Self::compare`], with [`LOOK`] prepared.
    pub(crate) async fn compare_on(
        &self,
        client: &Client,
        look: &Statement,
    ) -> Result<(), CompareError> {
        let known = self.newest();
        self.look(known, client.query_one(look, &[&position(known)])).await
    }

    async fn look(
        &self,
        known: Option<NewestEvent>,
        row: impl Future<Output = Result<Row, tokio_postgres::Error>>,
    ) -> Result<(), CompareError> {
        self.check()?;
        let seen = row.await.and_then(|row| Seen::of(&row, 0)).map_err(PgError::from)?;
        self.judge(known, seen)
    }

    /// As [`Self::compare`], in a transaction that has begun.
    pub(super) async fn compare_in(&self, tx: &Transaction<'_>) -> Result<(), CompareError> {
        let look = tx.prepare_cached(LOOK).await.map_err(PgError::from)?;
        let known = self.newest();
        self.look(known, tx.query_one(&look, &[&position(known)])).await
    }

    /// For a pool of connections to the events' database: the first that leads to a log that went back, and
    /// any that cannot be compared, is handed to nobody. Those after it are for whoever deals with it. One
    /// that leads to a database which failed over is noted for the outbox before it is used.
    pub fn hook(&self) -> Hook {
        let watermark = self.clone();
        Hook::async_fn(move |client, _| {
            let watermark = watermark.clone();
            Box::pin(async move {
                if watermark.check().is_err() {
                    return Ok(());
                }
                let compared = watermark.compare(client).await;
                compared.map_err(|error| HookError::message(error.to_string()))?;
                let noted = note_failover(&*client).await;
                noted.map(drop).map_err(|error| HookError::message(error.to_string()))
            })
        })
    }

    /// `known` is what this node knew before it asked for `seen`: the log only grows.
    pub(super) fn judge(&self, known: Option<NewestEvent>, seen: Seen) -> Result<(), CompareError> {
        if seen.standby {
            return Err(CompareError::Standby);
        }
        let head = seen.head.map_or(0, |head| head.position);
        if let Some(mark) = known {
            match seen.known {
                Some(event) if event == mark.event => {}
                Some(_) => {
                    return Err(self.notice(WentBack::Other { known: mark.position, head }).into());
                }
                None if head < mark.position => {
                    return Err(self
                        .notice(WentBack::Behind { known: mark.position, head })
                        .into());
                }
                None => return Err(CompareError::Hole { at: mark.position }),
            }
        }
        if let Some(head) = seen.head {
            self.raise(head);
        }
        Ok(())
    }

    /// An append was answered: the log ended at `head` before it. `known` is the position that this node
    /// knew before it sent the append.
    pub(crate) fn judge_head(&self, known: i64, head: i64) -> Result<(), WentBack> {
        if head < known {
            return Err(self.notice(WentBack::Behind { known, head }));
        }
        self.check()
    }

    /// Stops this node. Returns why: the first reason stays.
    fn notice(&self, why: WentBack) -> WentBack {
        self.0.went_back.send_if_modified(|known| {
            let is_first = known.is_none();
            known.get_or_insert(why);
            is_first
        });
        if let Some(alarm) = &self.0.alarm {
            alarm.set(1);
        }
        self.0.went_back.borrow().unwrap_or(why)
    }

    /// Forgets what was known: a restore of the log is being dealt with.
    fn forget(&self) {
        *self.0.newest.lock().unwrap_or_else(PoisonError::into_inner) = None;
        self.0.went_back.send_replace(None);
        if let Some(alarm) = &self.0.alarm {
            alarm.set(0);
        }
    }
}

fn position(mark: Option<NewestEvent>) -> i64 {
    mark.map_or(0, |mark| mark.position)
}

impl Seen {
    /// From four columns of a row, the first of which is `first`.
    pub(super) fn of(row: &Row, first: usize) -> Result<Self, tokio_postgres::Error> {
        let known: Option<Uuid> = row.try_get(first)?;
        let position: Option<i64> = row.try_get(first + 1)?;
        let event: Option<Uuid> = row.try_get(first + 2)?;
        let head = position.zip(event);
        Ok(Self {
            known: known.map(EventId),
            head: head.map(|(position, event)| NewestEvent { position, event: EventId(event) }),
            standby: row.try_get(first + 3)?,
        })
    }
}
