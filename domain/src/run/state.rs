//! A run's own state, derived from its servers'.

use serde::{Deserialize, Serialize};

use super::{Ending, Stage, Target};

crate::named_enum! {
    #[derive(Serialize, Deserialize)]
    #[serde(rename_all = "snake_case")]
    pub enum RunState {
        Queued = "queued",
        Running = "running",
        Cancelling = "cancelling",
        Succeeded = "succeeded",
        Failed = "failed",
        Cancelled = "cancelled",
        TimedOut = "timed_out",
        Lost = "lost",
    }
}

impl RunState {
    /// Ended is a run whose every server has ended; the least certain of its ends is the run's.
    pub fn of<'a>(targets: impl Iterator<Item = &'a Target> + Clone) -> Self {
        let ended = |with: fn(Ending) -> bool| {
            let mut ends = targets.clone();
            ends.any(|target| matches!(target.stage, Stage::Ended(ending) if with(ending)))
        };
        if targets.clone().all(Target::is_ended) {
            return if ended(|ending| ending == Ending::Lost) {
                Self::Lost
            } else if ended(|ending| matches!(ending, Ending::Failed { .. })) {
                Self::Failed
            } else if ended(|ending| ending == Ending::TimedOut) {
                Self::TimedOut
            } else if ended(|ending| matches!(ending, Ending::Cancelled { .. })) {
                Self::Cancelled
            } else {
                Self::Succeeded
            };
        }
        let mut open = targets.clone().filter(|target| !target.is_ended());
        if open.any(|target| target.cancelling) {
            return Self::Cancelling;
        }
        let mut all = targets;
        if all.all(|target| target.stage == Stage::Queued) { Self::Queued } else { Self::Running }
    }
}
