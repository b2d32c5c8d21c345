//! Keeps the row of the keyring's database up to date while a node runs.

use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::time::{Instant, MissedTickBehavior, interval};

use super::{CompareError, Durable};
use crate::trouble::Trouble;

const RAISE_EVERY: Duration = Duration::from_secs(1);
/// How often an idle node asks whether another one has found that the log went back.
pub(super) const READ_EVERY: Duration = Duration::from_secs(5);

impl Durable {
    /// Writes down each second what was learned since, and nothing on an idle node, which only reads now
    /// and then what the others know. `compares`: it looks at the log too, for a node without readers.
    /// Returns when the log went back.
    pub async fn keep(self, compares: bool) {
        let mut ticks = interval(RAISE_EVERY);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut kept_at = Instant::now();
        while self.watermark.check().is_ok() {
            ticks.tick().await;
            let looked = if compares { self.compare().await } else { Ok(()) };
            let kept = match looked {
                Ok(()) if self.has_learned() || kept_at.elapsed() >= READ_EVERY => {
                    self.raise().await
                }
                Ok(()) => continue,
                Err(error) => Err(error),
            };
            if kept.is_ok() {
                kept_at = Instant::now();
            }
            self.note(&kept);
        }
    }

    fn has_learned(&self) -> bool {
        self.watermark.position() > self.shared.position.load(Ordering::Relaxed)
    }

    fn note(&self, kept: &Result<(), CompareError>) {
        if let Err(error) = kept {
            tracing::debug!(%error, "the newest event of the log was not written down");
        }
        self.shared.kept.note(kept);
    }

    /// Why a restore to this moment might not be noticed; `None`: what is known is written down.
    pub fn trouble(&self) -> Option<Trouble> {
        self.shared.kept.trouble()
    }

    /// Writes down what is known once more, for a process that ends: its last second may have appended.
    pub async fn keep_last(&self) {
        if self.watermark.check().is_ok()
            && let Err(error) = self.raise().await
        {
            tracing::warn!(%error, "the newest event of the log was not written down");
        }
    }
}
