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

/// The least time between two probes of a trouble of this age, for probes that write: none in the first minute, then a
/// tenth of the age, at most 30 seconds.
pub(crate) fn probe_pause(age: Duration) -> Duration {
    const FIRST: Duration = Duration::from_mins(1);
    const MAX: Duration = Duration::from_secs(30);
    if age < FIRST { Duration::ZERO } else { (age / 10).min(MAX) }
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

    /// As if the trouble had begun so much earlier.
    #[cfg(test)]
    pub fn let_pass(&self, time: Duration) {
        let mut trouble = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(trouble) = &mut *trouble {
            trouble.since -= time;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trouble_is_as_old_as_its_first_failure_and_a_success_ends_it() {
        let last = LastTry::default();
        last.note(&Err::<(), _>("refused"));
        last.let_pass(Duration::from_mins(1));

        last.note(&Err::<(), _>("no answer"));

        let trouble = last.trouble().unwrap();
        assert!(trouble.age() >= Duration::from_mins(1), "{trouble:?}");
        assert_eq!(trouble.why(), "no answer");
        last.note(&Ok::<_, &str>(()));
        assert!(last.trouble().is_none());
    }

    #[test]
    fn what_lasts_is_probed_more_seldom() {
        let pause = |age| probe_pause(Duration::from_secs(age)).as_secs();

        assert_eq!([0, 59].map(pause), [0, 0], "no more seldom than usual");
        assert_eq!([60, 120, 299].map(pause), [6, 12, 29]);
        assert_eq!([300, 86_400].map(pause), [30, 30]);
    }
}
