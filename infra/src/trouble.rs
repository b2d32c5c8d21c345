//! Since when something that is tried again and again has failed, and why.

use std::fmt::Display;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// It has failed each time since then.
#[derive(Clone, Debug)]
pub struct Trouble {
    since: Instant,
    why: String,
}

impl Trouble {
    /// How long it has lasted.
    pub fn age(&self) -> Duration {
        self.since.elapsed()
    }

    /// The last error.
    pub fn why(&self) -> &str {
        &self.why
    }
}

/// What one thing that is tried has come to.
#[derive(Debug, Default)]
pub(crate) struct LastTry(Mutex<Option<Trouble>>);

impl LastTry {
    pub fn note<T, E: Display>(&self, tried: &Result<T, E>) {
        let mut trouble = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *trouble = tried.as_ref().err().map(|error| {
            let since = trouble.as_ref().map_or_else(Instant::now, |known| known.since);
            Trouble { since, why: error.to_string() }
        });
    }

    /// `None`: the last try has succeeded.
    pub fn trouble(&self) -> Option<Trouble> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
