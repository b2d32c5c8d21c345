//! One server of a run: a state machine for each attempt.
//!
//! An attempt ends once. `Lost` is the one end that the truth may replace, and only while it is the
//! last attempt: a probe may find the command running (it is then reattached) or how it ended.

use serde::{Deserialize, Serialize};

use super::{Ending, Failure, LogSeal, RunError, TaskLease};

/// The last attempt on one server.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Target {
    /// From 1; each retry is one more.
    pub attempt: u32,
    /// The highest fence that was seen of this attempt.
    pub fence: u64,
    /// How far it has come.
    pub stage: Stage,
    /// Its cancellation was requested before it ended.
    pub cancelling: bool,
    /// Once it is sealed.
    pub log: Option<LogSeal>,
}

/// How far an attempt has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stage {
    /// No node has it.
    Queued,
    /// A node has it; whether it has started is not known yet.
    Dispatched,
    /// The command was seen to run.
    Started,
    /// How it ended.
    Ended(Ending),
}

impl Target {
    /// An attempt that no node has taken.
    pub const fn new(attempt: u32) -> Self {
        Self { attempt, fence: 0, stage: Stage::Queued, cancelling: false, log: None }
    }

    /// Whether the attempt has ended, known or lost.
    pub const fn is_ended(&self) -> bool {
        matches!(self.stage, Stage::Ended(_))
    }

    /// As the API writes it.
    pub const fn as_str(&self) -> &'static str {
        match self.stage {
            Stage::Queued | Stage::Dispatched | Stage::Started if self.cancelling => "cancelling",
            Stage::Queued => "queued",
            Stage::Dispatched => "dispatched",
            Stage::Started => "running",
            Stage::Ended(Ending::Succeeded) => "succeeded",
            Stage::Ended(Ending::Failed { .. }) => "failed",
            Stage::Ended(Ending::TimedOut) => "timed_out",
            Stage::Ended(Ending::Cancelled { .. }) => "cancelled",
            Stage::Ended(Ending::Lost) => "lost",
        }
    }

    pub(super) fn admit(&self, lease: TaskLease) -> Result<(), RunError> {
        if lease.attempt != self.attempt {
            return Err(RunError::OtherAttempt);
        }
        if lease.fence < self.fence { Err(RunError::Fenced) } else { Ok(()) }
    }

    /// Taken by a node, or taken over before anybody knew that it had started.
    pub(super) fn dispatch(&self, lease: TaskLease) -> Result<(), RunError> {
        match self.stage {
            Stage::Queued => Ok(()),
            Stage::Dispatched if lease.fence > self.fence => Ok(()),
            Stage::Dispatched => Err(RunError::Fenced),
            Stage::Started => Err(RunError::Started),
            Stage::Ended(_) => Err(RunError::Ended),
        }
    }

    pub(super) const fn start(&self) -> Result<(), RunError> {
        match self.stage {
            Stage::Queued => Err(RunError::TooEarly),
            Stage::Dispatched => Ok(()),
            Stage::Started => Err(RunError::Started),
            Stage::Ended(_) => Err(RunError::Ended),
        }
    }

    pub(super) fn reattach(&self, lease: TaskLease) -> Result<(), RunError> {
        match self.stage {
            Stage::Queued | Stage::Dispatched => Err(RunError::TooEarly),
            Stage::Started | Stage::Ended(Ending::Lost) if lease.fence > self.fence => Ok(()),
            Stage::Started | Stage::Ended(Ending::Lost) => Err(RunError::Fenced),
            Stage::Ended(_) => Err(RunError::Ended),
        }
    }

    pub(super) fn end(&self, ending: Ending) -> Result<(), RunError> {
        if matches!(ending, Ending::Cancelled { .. }) && !self.cancelling {
            return Err(RunError::NotCancelled);
        }
        match (self.stage, ending) {
            (
                Stage::Dispatched,
                Ending::Failed { failure: Failure::NotStarted { .. } }
                | Ending::Cancelled { .. }
                | Ending::Lost,
            ) => Ok(()),
            (Stage::Queued | Stage::Dispatched, _) => Err(RunError::TooEarly),
            (
                Stage::Started | Stage::Ended(Ending::Lost),
                Ending::Failed { failure: Failure::NotStarted { .. } },
            ) => Err(RunError::Started),
            (Stage::Ended(Ending::Lost), Ending::Lost) => Err(RunError::Ended),
            (Stage::Started | Stage::Ended(Ending::Lost), _) => Ok(()),
            (Stage::Ended(_), _) => Err(RunError::Ended),
        }
    }

    pub(super) const fn seal(&self) -> Result<(), RunError> {
        match self.stage {
            Stage::Queued | Stage::Dispatched | Stage::Started => Err(RunError::NotEnded),
            Stage::Ended(_) if self.log.is_some() => Err(RunError::Sealed),
            Stage::Ended(_) => Ok(()),
        }
    }
}
