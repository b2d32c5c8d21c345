//! What a reader of this node does and since when, so that one that stands still is seen.

use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// What a reader does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReaderStage {
    /// As far as it knows, it has read what there is.
    Waiting,
    /// It reads which streams are parked, and those that were released.
    Parked,
    /// It reads a page of the log, or waits until another reader of this node has done so.
    Page,
    /// It waits for a connection to write with.
    Connection,
    /// It is in its transaction: it folds events into rows, or reacts to them, and commits.
    Working,
    /// It writes its checkpoint, without rows.
    Checkpoint,
    /// It has failed, and tries again after a pause.
    Pausing,
}

impl ReaderStage {
    const fn describe(self) -> &'static str {
        match self {
            Self::Waiting => "it waits for events",
            Self::Parked => "it reads parked streams",
            Self::Page => "it reads a page of the log",
            Self::Connection => "it waits for a connection to the database",
            Self::Working => "its transaction is open",
            Self::Checkpoint => "it writes its checkpoint",
            Self::Pausing => "it waits before it tries again",
        }
    }
}

/// A look at what a reader does.
#[derive(Clone, Debug)]
pub struct ReaderActivity {
    /// What it does.
    pub stage: ReaderStage,
    /// For how long.
    pub lasts: Duration,
    /// Why it failed the last time; `None` once it goes on. Without any value of an event.
    pub error: Option<String>,
}

impl fmt::Display for ReaderActivity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, for {} s", self.stage.describe(), self.lasts.as_secs())?;
        self.error.iter().try_for_each(|error| write!(f, ": {error}"))
    }
}

/// Written by the reader itself, read by whoever watches it.
#[derive(Debug)]
pub(super) struct Activity(Mutex<State>);

#[derive(Debug)]
struct State {
    stage: ReaderStage,
    since: Instant,
    error: Option<String>,
}

impl Default for Activity {
    fn default() -> Self {
        Self(Mutex::new(State { stage: ReaderStage::Parked, since: Instant::now(), error: None }))
    }
}

impl Activity {
    pub fn begin(&self, stage: ReaderStage) {
        let mut now = self.state();
        (now.stage, now.since) = (stage, Instant::now());
    }

    pub fn fail(&self, why: String) {
        self.state().error = Some(why);
        self.begin(ReaderStage::Pausing);
    }

    pub fn go_on(&self) {
        self.state().error = None;
    }

    pub fn look(&self) -> ReaderActivity {
        let now = self.state();
        ReaderActivity { stage: now.stage, lasts: now.since.elapsed(), error: now.error.clone() }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
