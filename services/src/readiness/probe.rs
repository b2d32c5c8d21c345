//! A question that a server may leave unanswered: it is asked once, and not again before it has ended.

use std::time::Duration;

use tokio::task::JoinHandle;
use tokio::time::timeout;

type Answer = Result<(), String>;

#[derive(Default)]
pub(super) struct Probe(Option<JoinHandle<Answer>>);

impl Probe {
    /// The answer to `question`, or to the one that is still under way. Whoever waits no longer gives up no
    /// statement, and so no connection.
    pub async fn ask(
        &mut self,
        within: Duration,
        question: impl Future<Output = Answer> + Send + 'static,
    ) -> Answer {
        let asked = self.0.get_or_insert_with(|| tokio::spawn(question));
        let Ok(ended) = timeout(within, asked).await else {
            return Err(format!("no answer within {} s", within.as_secs()));
        };
        self.0 = None;
        ended.unwrap_or_else(|error| Err(error.to_string()))
    }
}

impl Drop for Probe {
    fn drop(&mut self) {
        if let Some(asked) = &self.0 {
            asked.abort();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU32, Ordering};

    use test_support::LIMIT;
    use tokio::sync::Notify;

    use super::*;

    #[tokio::test]
    async fn what_is_not_answered_is_not_asked_again() {
        let (asked, answered) = (Arc::new(AtomicU32::new(0)), Arc::new(Notify::new()));
        let question = || {
            let (asked, answered) = (Arc::clone(&asked), Arc::clone(&answered));
            async move {
                asked.fetch_add(1, Ordering::Relaxed);
                answered.notified().await;
                Ok(())
            }
        };
        let mut probe = Probe::default();

        for _ in 0..3 {
            let unanswered = probe.ask(Duration::ZERO, question()).await;
            assert_eq!(unanswered.unwrap_err(), "no answer within 0 s");
            tokio::task::yield_now().await;
        }

        assert_eq!(asked.load(Ordering::Relaxed), 1);
        answered.notify_one();
        assert_eq!(probe.ask(LIMIT, question()).await, Ok(()));
        answered.notify_one();
        assert_eq!(probe.ask(LIMIT, question()).await, Ok(()));
        assert_eq!(asked.load(Ordering::Relaxed), 2);
    }
}
