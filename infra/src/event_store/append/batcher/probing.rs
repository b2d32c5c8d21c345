//! Whether the server takes appends: asked after a refusal, and after a pause.

use std::time::{Duration, Instant};

use super::{Batcher, BatcherOptions, NO_PARTITION};
use crate::event_store::append::connection::Connection;
use crate::event_store::append::outcome::AppendError;
use crate::log::watermark::CompareError;

/// How often a server that has refused to write is probed.
const PROBE_EVERY: Duration = Duration::from_secs(1);

impl Batcher {
    pub(super) fn probe_in(&self) -> Duration {
        let refused = self.options.writes.check().is_err();
        let every = if refused { PROBE_EVERY } else { self.options.ask_every };
        every.saturating_sub(self.tried_at.elapsed())
    }

    /// A server that refused is written to again; one that had nothing to write for long is only asked.
    pub(super) async fn probe(&mut self) {
        if !self.went_back() {
            let mut probed = self.probe_once().await;
            if matches!(probed, Err(AppendError::AnswerLost(_))) {
                // The connection may have ended while nothing was sent on it.
                probed = self.probe_once().await;
            }
            self.note_probe(probed);
        }
        self.tried_at = Instant::now();
    }

    fn note_probe(&self, probed: Result<(), AppendError>) {
        let writes = &self.options.writes;
        match probed {
            Ok(()) => writes.accept(),
            Err(AppendError::NoPartition) => writes.refuse(NO_PARTITION),
            // The log's lock was held for long, which says nothing; or `connect` has noted why.
            Err(AppendError::Unavailable(_)) => {}
            Err(
                AppendError::AnswerLost(why) | AppendError::Refused(why) | AppendError::Failed(why),
            ) => writes.refuse(&why),
        }
    }

    async fn probe_once(&mut self) -> Result<(), AppendError> {
        let refused = self.options.writes.check().is_err();
        let mut connection = self.connect().await?;
        let probed = connection.probe(refused).await;
        if !matches!(probed, Err(AppendError::AnswerLost(_))) {
            self.connection = Some(connection);
        }
        probed
    }

    /// What a batch has met: only a probe says that a refusal is over, since a page may have room for some events.
    pub(super) fn note_write<T>(&mut self, written: &Result<T, AppendError>) {
        let writes = &self.options.writes;
        match written {
            Err(AppendError::Refused(why)) => writes.refuse(why),
            Err(AppendError::NoPartition) => writes.refuse(NO_PARTITION),
            Ok(_) if writes.check().is_ok() => self.tried_at = Instant::now(),
            Ok(_)
            | Err(
                AppendError::AnswerLost(_) | AppendError::Unavailable(_) | AppendError::Failed(_),
            ) => {}
        }
    }

    /// The open connection, or a new one.
    pub(super) async fn connect(&mut self) -> Result<Connection, AppendError> {
        if let Some(open) = self.connection.take().filter(|open| !open.is_closed()) {
            return Ok(open);
        }
        self.open().await.map_err(|error| {
            let why = error.to_string();
            if !matches!(error, CompareError::WentBack(_)) {
                self.options.writes.refuse(&why);
            }
            AppendError::Unavailable(why)
        })
    }

    pub(super) async fn open(&self) -> Result<Connection, CompareError> {
        let BatcherOptions { url, connect, .. } = &self.options;
        Connection::open(url, connect, self.observers.clone()).await
    }

    /// Whether the log is not the one that is known: what is sent again is refused again.
    pub(super) fn went_back(&self) -> bool {
        self.observers.watermark.check().is_err()
    }

    /// There is no partition: the task that creates them is woken.
    pub(super) fn alarm(&self) {
        tracing::error!("{NO_PARTITION}");
        self.partition_missing.notify_one();
    }
}
