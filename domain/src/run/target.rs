//! One server of a run: a state machine for each attempt.
//!
//! An attempt ends once. `Lost` is the one end that the truth may replace, and only while it is the
//! last attempt: a probe may find the command running (it is then reattached) or how it ended. What may be
//! left of an attempt after its end is settled once: it is proven to be gone, or given up.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::{Ending, Failure, LogSeal, RunError, TaskLease};
use crate::privacy::{Personal, RunLeft};

/// The last attempt on one server.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Target {
    /// From 1; each retry is one more.
    pub attempt: u32,
    /// The highest fence that was seen of this attempt.
    pub fence: u64,
    /// How far it has come.
    pub stage: Stage,
    /// Its cancellation is requested: before it ended, or since then of what may be left.
    pub cancelling: bool,
    /// Once it is sealed.
    pub log: Option<LogSeal>,
    /// Sealed for the workspace: what may be left of an attempt whose end is not proven.
    pub left: Option<Personal<RunLeft>>,
    /// What became of that.
    pub settled: Option<Settled>,
    /// The attempts before this one of which processes may be left. It starts only once there are none.
    pub earlier: BTreeSet<u32>,
    /// An attempt before this one was given up: processes of it may be left, and nobody looks for them.
    #[serde(default)]
    pub after_given_up: bool,
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

crate::named_enum! {
    /// What became of what might have been left of an attempt.
    #[derive(Serialize, Deserialize)]
    #[serde(rename_all = "snake_case")]
    pub enum Settled {
        /// Nothing is left.
        ProvenGone = "proven_gone",
        /// Nobody looks for it any more.
        GivenUp = "given_up",
    }
}

impl Target {
    /// An attempt that no node has taken, and before which there is nothing.
    pub const fn new(attempt: u32) -> Self {
        Self {
            attempt,
            fence: 0,
            stage: Stage::Queued,
            cancelling: false,
            log: None,
            left: None,
            settled: None,
            earlier: BTreeSet::new(),
            after_given_up: false,
        }
    }

    /// The attempt after this one.
    pub(super) fn next(&self) -> Self {
        let own = self.may_run().then_some(self.attempt);
        let earlier = self.earlier.iter().copied().chain(own).collect();
        let after_given_up = self.after_given_up || self.settled == Some(Settled::GivenUp);
        Self { earlier, after_given_up, ..Self::new(self.attempt + 1) }
    }

    /// Whether the attempt has ended, known or lost.
    pub const fn is_ended(&self) -> bool {
        matches!(self.stage, Stage::Ended(_))
    }

    /// How the attempt ended, once it has.
    pub const fn ending(&self) -> Option<Ending> {
        match self.stage {
            Stage::Ended(ending) => Some(ending),
            Stage::Queued | Stage::Dispatched | Stage::Started => None,
        }
    }

    /// Whether processes of the attempt may be left although it has ended, and somebody looks for them.
    pub const fn may_run(&self) -> bool {
        self.settled.is_none() && !self.is_known_to_be_over()
    }

    const fn is_known_to_be_over(&self) -> bool {
        match self.stage {
            Stage::Ended(Ending::Lost { why }) => !why.may_run(),
            Stage::Ended(Ending::Cancelled { proven, .. } | Ending::TimedOut { proven }) => proven,
            Stage::Queued
            | Stage::Dispatched
            | Stage::Started
            | Stage::Ended(Ending::Succeeded | Ending::Failed { .. }) => true,
        }
    }

    /// Whether processes of this attempt or of an earlier one may be left, and somebody looks for them.
    pub fn may_be_left(&self) -> bool {
        self.may_run() || !self.earlier.is_empty()
    }

    /// Whether it was cancelled, or timed out, and processes may be left.
    pub fn is_unproven(&self) -> bool {
        match self.stage {
            Stage::Ended(
                Ending::Cancelled { proven: false, .. } | Ending::TimedOut { proven: false },
            ) => self.settled != Some(Settled::ProvenGone),
            Stage::Ended(Ending::Cancelled { proven: true, .. }) => {
                !self.earlier.is_empty() || self.after_given_up
            }
            Stage::Queued
            | Stage::Dispatched
            | Stage::Started
            | Stage::Ended(
                Ending::Succeeded
                | Ending::Failed { .. }
                | Ending::TimedOut { proven: true }
                | Ending::Lost { .. },
            ) => false,
        }
    }

    /// As the API writes it.
    pub fn as_str(&self) -> &'static str {
        match self.stage {
            Stage::Queued | Stage::Dispatched | Stage::Started if self.cancelling => "cancelling",
            Stage::Queued => "queued",
            Stage::Dispatched => "dispatched",
            Stage::Started => "running",
            Stage::Ended(_) if self.is_unproven() => "unproven",
            Stage::Ended(Ending::Succeeded) => "succeeded",
            Stage::Ended(Ending::Failed { .. }) => "failed",
            Stage::Ended(Ending::TimedOut { .. }) => "timed_out",
            Stage::Ended(Ending::Cancelled { .. }) => "cancelled",
            Stage::Ended(Ending::Lost { .. }) => "lost",
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
            Stage::Ended(_) if !self.is_lost() => Err(RunError::Ended),
            Stage::Started | Stage::Ended(_) if lease.fence > self.fence => Ok(()),
            Stage::Started | Stage::Ended(_) => Err(RunError::Fenced),
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
                | Ending::Lost { .. },
            ) => Ok(()),
            (Stage::Queued | Stage::Dispatched, _) => Err(RunError::TooEarly),
            (Stage::Ended(_), _) if !self.is_lost() => Err(RunError::Ended),
            (
                Stage::Started | Stage::Ended(_),
                Ending::Failed { failure: Failure::NotStarted { .. } },
            ) => Err(RunError::Started),
            (Stage::Ended(_), Ending::Lost { .. }) => Err(RunError::Ended),
            (Stage::Started | Stage::Ended(_), _) => Ok(()),
        }
    }

    /// Whether the truth may still be found.
    const fn is_lost(&self) -> bool {
        self.settled.is_none() && matches!(self.stage, Stage::Ended(Ending::Lost { .. }))
    }

    pub(super) const fn prove_gone(&self) -> Result<(), RunError> {
        if !self.is_ended() {
            return Err(RunError::NotEnded);
        }
        if self.may_run() { Ok(()) } else { Err(RunError::NothingLeft) }
    }

    pub(super) fn settle(&mut self, attempt: u32, as_what: Settled) {
        let was_earlier = self.earlier.remove(&attempt);
        self.after_given_up |= was_earlier && as_what == Settled::GivenUp;
        if attempt == self.attempt {
            self.settled = Some(as_what);
            if as_what == Settled::ProvenGone {
                self.left = None;
            }
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
