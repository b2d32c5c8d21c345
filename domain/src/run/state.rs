//! A run's own state, derived from its servers'.

use serde::{Deserialize, Serialize};

use super::{Ending, Stage, Target};

crate::named_enum! {
    /// The state of a run, as the API shows it.
    #[derive(Serialize, Deserialize)]
    #[serde(rename_all = "snake_case")]
    pub enum RunState {
        /// No node has taken any of its servers.
        Queued = "queued",
        /// Some server is taken, and some has not ended.
        Running = "running",
        /// Its cancellation is requested, and some server has not ended.
        Cancelling = "cancelling",
        /// On every server.
        Succeeded = "succeeded",
        /// On one server at least, and on none it is lost.
        Failed = "failed",
        /// On one server at least, and nothing worse happened on others.
        Cancelled = "cancelled",
        /// On one server at least, and on none it failed or is lost.
        TimedOut = "timed_out",
        /// On one server at least it is not known how the command ended.
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
