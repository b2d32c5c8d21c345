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
        /// Succeeded on every server.
        Succeeded = "succeeded",
        /// Failed on at least one server, and neither unproven nor lost on any.
        Failed = "failed",
        /// Cancelled on at least one server, and nothing worse on the others.
        Cancelled = "cancelled",
        /// Timed out on at least one server, and nothing worse on the others.
        TimedOut = "timed_out",
        /// Cancelled or timed out on at least one server where processes may be left, and lost on none.
        Unproven = "unproven",
        /// Lost on at least one server: how the command ended there is not known.
        Lost = "lost",
    }
}

impl RunState {
    /// Ended is a run whose every server has ended; the least certain of its ends is the run's.
    pub fn of<'a>(targets: impl Iterator<Item = &'a Target> + Clone) -> Self {
        let any = |with: fn(&Target) -> bool| {
            let mut all = targets.clone();
            all.any(with)
        };
        if targets.clone().all(Target::is_ended) {
            return if any(|target| matches!(target.ending(), Some(Ending::Lost { .. }))) {
                Self::Lost
            } else if any(Target::is_unproven) {
                Self::Unproven
            } else if any(|target| matches!(target.ending(), Some(Ending::Failed { .. }))) {
                Self::Failed
            } else if any(|target| matches!(target.ending(), Some(Ending::TimedOut { .. }))) {
                Self::TimedOut
            } else if any(|target| matches!(target.ending(), Some(Ending::Cancelled { .. }))) {
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
