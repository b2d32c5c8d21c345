//! Waiting for a condition, with a deadline.

use std::fmt::Debug;
use std::time::Duration;

use tokio::time::MissedTickBehavior;

/// How long [`until`] waits. Long enough for a loaded machine; a test that passes never waits so long.
pub const LIMIT: Duration = Duration::from_mins(3);

const PAUSE: Duration = Duration::from_millis(10);

/// What one look at a condition answers: `bool`, `Option`, or a `Result` whose error says what was
/// seen instead.
pub trait Observation {
    type Value;

    /// The value once the condition holds, else what was seen instead.
    fn outcome(self) -> Result<Self::Value, String>;
}

impl Observation for bool {
    type Value = ();

    fn outcome(self) -> Result<(), String> {
        if self { Ok(()) } else { Err("false".to_owned()) }
    }
}

impl<T> Observation for Option<T> {
    type Value = T;

    fn outcome(self) -> Result<T, String> {
        self.ok_or_else(|| "nothing".to_owned())
    }
}

impl<T, E: Debug> Observation for Result<T, E> {
    type Value = T;

    fn outcome(self) -> Result<T, String> {
        self.map_err(|seen| format!("{seen:?}"))
    }
}

/// Looks every 10 ms until `what` holds, and answers the value. Panics after [`LIMIT`] with what it
/// saw last.
pub async fn until<O: Observation>(what: &str, look: impl AsyncFnMut() -> O) -> O::Value {
    until_within(LIMIT, what, look).await
}

/// As [`until`], with a limit of its own.
pub async fn until_within<O: Observation>(
    limit: Duration,
    what: &str,
    mut look: impl AsyncFnMut() -> O,
) -> O::Value {
    let mut ticks = tokio::time::interval(PAUSE);
    // A look may take longer than a pause: the next one then comes a pause later, not at once.
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut last = "nothing: the first look has not come back".to_owned();
    let holds = async {
        loop {
            ticks.tick().await;
            match look().await.outcome() {
                Ok(value) => return value,
                Err(seen) => last = seen,
            }
        }
    };
    let held = tokio::time::timeout(limit, holds).await;
    held.unwrap_or_else(|_| panic!("not within {limit:?}: {what}; last seen: {last}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    #[should_panic(expected = "not within 100ms: the seventh; last seen: 6")]
    async fn a_condition_that_never_holds_fails_with_what_was_seen_last() {
        let seventh =
            until_within(Duration::from_millis(100), "the seventh", async || Err::<(), _>(6));

        seventh.await;
    }

    #[tokio::test]
    async fn the_value_is_answered_once_it_is_there() {
        let mut looks = 0;
        let found = until("the third", async || {
            looks += 1;
            (looks == 3).then_some(looks)
        });

        assert_eq!(found.await, 3);
    }
}
