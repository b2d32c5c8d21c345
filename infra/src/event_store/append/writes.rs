//! Whether the log takes appends: what the last one, or the last probe, has found.

use std::sync::Arc;
use std::time::Duration;

use prometheus::IntGauge;

use crate::trouble::LastTry;

/// Of one node. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Writes(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    last: LastTry,
    gauge: IntGauge,
}

impl Writes {
    /// `gauge` is 1 while the log takes appends.
    pub fn new(gauge: IntGauge) -> Self {
        gauge.set(1);
        Self(Arc::new(Inner { last: LastTry::default(), gauge }))
    }

    /// Whether the server takes what this node appends.
    ///
    /// # Errors
    /// Why not, without any value of an event.
    pub fn check(&self) -> Result<(), String> {
        self.0.last.trouble().map_or(Ok(()), |refused| {
            let (seconds, why) = (refused.age().as_secs(), refused.why());
            Err(format!("the server has refused to write for {seconds} s: {why}"))
        })
    }

    /// `None`: the server takes what this node appends.
    pub(super) fn refused_for(&self) -> Option<Duration> {
        self.0.last.trouble().map(|refused| refused.age())
    }

    /// As if the refusal had begun so much earlier.
    #[cfg(test)]
    pub(super) fn let_pass(&self, time: Duration) {
        self.0.last.let_pass(time);
    }

    /// The server has refused, and would refuse any append.
    pub(super) fn refuse(&self, why: &str) {
        if self.0.last.trouble().is_none() {
            tracing::error!(why, "the log takes no appends: this node is not ready");
        }
        self.0.last.note(&Err::<(), _>(why));
        self.0.gauge.set(0);
    }

    /// A probe was written.
    pub(super) fn accept(&self) {
        if let Some(seconds) = self.refused_for().map(|time| time.as_secs()) {
            self.0.last.note(&Ok::<_, &str>(()));
            tracing::info!(seconds, "the log takes appends again");
            self.0.gauge.set(1);
        }
    }
}
