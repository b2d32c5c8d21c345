//! Whether the log takes appends: what the last one, or the last probe, has found.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use prometheus::IntGauge;
use tokio::time::Instant;

/// Of one node. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Writes(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    refused: Mutex<Option<Refused>>,
    gauge: IntGauge,
}

/// Since when the server refuses what is appended, and why.
#[derive(Clone, Debug)]
struct Refused {
    since: Instant,
    why: String,
}

impl Writes {
    /// `gauge` is 1 while the log takes appends.
    pub fn new(gauge: IntGauge) -> Self {
        gauge.set(1);
        Self(Arc::new(Inner { refused: Mutex::default(), gauge }))
    }

    /// Whether the server takes what this node appends.
    ///
    /// # Errors
    /// Why not, without any value of an event.
    pub fn check(&self) -> Result<(), String> {
        match &*self.refused() {
            None => Ok(()),
            Some(Refused { since, why }) => {
                let seconds = since.elapsed().as_secs();
                Err(format!("the server has refused to write for {seconds} s: {why}"))
            }
        }
    }

    /// `None`: the server takes what this node appends.
    pub(super) fn refused_for(&self) -> Option<Duration> {
        self.refused().as_ref().map(|refused| refused.since.elapsed())
    }

    /// As if the refusal had begun so much earlier.
    #[cfg(test)]
    pub(super) fn let_pass(&self, time: Duration) {
        if let Some(refused) = &mut *self.refused() {
            refused.since -= time;
        }
    }

    /// The server has refused, and would refuse any append.
    pub(super) fn refuse(&self, why: &str) {
        let mut refused = self.refused();
        if refused.is_none() {
            tracing::error!(why, "the log takes no appends: this node is not ready");
        }
        let since = refused.as_ref().map_or_else(Instant::now, |known| known.since);
        *refused = Some(Refused { since, why: why.to_owned() });
        self.0.gauge.set(0);
    }

    /// A probe was written.
    pub(super) fn accept(&self) {
        if let Some(Refused { since, .. }) = self.refused().take() {
            tracing::info!(seconds = since.elapsed().as_secs(), "the log takes appends again");
            self.0.gauge.set(1);
        }
    }

    fn refused(&self) -> std::sync::MutexGuard<'_, Option<Refused>> {
        self.0.refused.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
