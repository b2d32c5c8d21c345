//! How long an answer may take, and how much of that is left to read what a write has made.

use std::time::Duration;

use tokio::time::{Instant, timeout_at};

/// Clients rarely wait longer for an answer. The body of an export may take longer.
const ANSWER_WITHIN: Duration = Duration::from_secs(15);
/// A write that has landed is answered without its thing rather than later than that.
const READ_WITHIN: Duration = Duration::from_secs(2);
/// What is left to answer once a read is given up.
const LEFT_TO_ANSWER: Duration = Duration::from_millis(500);

tokio::task_local! {
    /// When the answer to the request of this task is late.
    static LATE_AT: Instant;
}

/// `None`: the answer took too long.
pub async fn in_time<A>(answer: impl Future<Output = A>) -> Option<A> {
    let late_at = Instant::now() + ANSWER_WITHIN;
    timeout_at(late_at, LATE_AT.scope(late_at, answer)).await.ok()
}

/// A read behind a write that has landed. `None`: it takes too long, or the answer would be late with it.
pub async fn in_time_behind_write<A>(read: impl Future<Output = A>) -> Option<A> {
    let late_at = LATE_AT.try_with(|late_at| *late_at).ok();
    timeout_at(read_until(Instant::now(), late_at), read).await.ok()
}

fn read_until(now: Instant, late_at: Option<Instant>) -> Instant {
    let until = now + READ_WITHIN;
    late_at.map_or(until, |late_at| until.min(late_at - LEFT_TO_ANSWER))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_read_is_given_up_before_its_answer_is_late() {
        let now = Instant::now();
        let after = |millis| now + Duration::from_millis(millis);
        for (late, until) in [(15_000, 2_000), (2_500, 2_000), (2_000, 1_500), (600, 100)] {
            assert_eq!(read_until(now, Some(after(late))), after(until), "late after {late} ms");
        }
        assert_eq!(read_until(now, None), after(2_000));
        assert!(read_until(now, Some(now)) < now);
    }

    #[tokio::test]
    async fn a_read_knows_when_the_answer_to_its_request_is_late() {
        let late_at = in_time(async {
            in_time_behind_write(async { LATE_AT.try_with(|late_at| *late_at).ok() }).await
        });
        let late_at = late_at.await.flatten().flatten().unwrap();
        assert!(late_at > Instant::now() && late_at <= Instant::now() + ANSWER_WITHIN);
        assert!(LATE_AT.try_with(|_| ()).is_err());
    }
}
