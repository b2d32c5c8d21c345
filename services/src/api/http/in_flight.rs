//! Requests with an `Idempotency-Key` that this node is serving: the same one waits meanwhile.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{Notify, Semaphore};
use uuid::Uuid;

/// Longer than nearly all requests take, and shorter than clients wait.
const WAIT: Duration = Duration::from_secs(5);
/// Each has its body in memory, and nothing else.
const WAITING_MAX: usize = 256;

/// What is being served.
#[derive(Clone)]
pub struct InFlight(Arc<Inner>);

struct Inner {
    served: Mutex<HashSet<Uuid>>,
    ended: Notify,
    waiting: Semaphore,
}

/// A request that is being served, until this is dropped.
pub struct Serving {
    id: Uuid,
    all: InFlight,
}

impl Default for InFlight {
    fn default() -> Self {
        let (served, ended) = (Mutex::default(), Notify::new());
        Self(Arc::new(Inner { served, ended, waiting: Semaphore::new(WAITING_MAX) }))
    }
}

impl InFlight {
    /// Waits for the one that is being served. `None`: for too long, or too many wait already.
    pub async fn begin(&self, id: Uuid) -> Option<Serving> {
        self.begin_within(id, WAIT).await
    }

    async fn begin_within(&self, id: Uuid, limit: Duration) -> Option<Serving> {
        if let Some(serving) = self.try_begin(id) {
            return Some(serving);
        }
        let _place = self.0.waiting.try_acquire().ok()?;
        let waiting = async {
            loop {
                let ended = self.0.ended.notified();
                tokio::pin!(ended);
                ended.as_mut().enable();
                if let Some(serving) = self.try_begin(id) {
                    return serving;
                }
                ended.await;
            }
        };
        tokio::time::timeout(limit, waiting).await.ok()
    }

    fn try_begin(&self, id: Uuid) -> Option<Serving> {
        self.served().insert(id).then(|| Serving { id, all: self.clone() })
    }

    fn served(&self) -> MutexGuard<'_, HashSet<Uuid>> {
        self.0.served.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        self.all.served().remove(&self.id);
        self.all.0.ended.notify_waiters();
    }
}

#[cfg(test)]
mod tests {
    use futures_util::future::join_all;

    use super::*;

    const SHORT: Duration = Duration::from_millis(20);

    #[tokio::test]
    async fn a_request_is_served_once_at_a_time_and_the_next_one_waits() {
        let (in_flight, [one, two]) = (InFlight::default(), [1, 2].map(Uuid::from_u128));
        let first = in_flight.begin(one).await;
        assert!(first.is_some() && in_flight.begin(two).await.is_some());
        assert!(in_flight.begin_within(one, SHORT).await.is_none(), "for too long");

        let (again, ()) = tokio::join!(in_flight.begin(one), async { drop(first) });

        assert!(again.is_some());
    }

    #[tokio::test]
    async fn those_that_wait_are_served_one_after_another() {
        let in_flight = InFlight::default();
        let served = Mutex::new((0, 0));
        let all = (0..64).map(|_| async {
            let serving = in_flight.begin(Uuid::nil()).await.unwrap();
            served.lock().unwrap().0 += 1;
            tokio::task::yield_now().await;
            let mut served = served.lock().unwrap();
            assert_eq!(served.0, 1, "two at once");
            *served = (0, served.1 + 1);
            drop(serving);
        });
        join_all(all).await;
        assert_eq!(served.lock().unwrap().1, 64);
    }

    #[tokio::test]
    async fn so_many_wait_and_no_more() {
        let in_flight = InFlight::default();
        let _first = in_flight.begin(Uuid::nil()).await.unwrap();
        let waiting = join_all((0..WAITING_MAX).map(|_| in_flight.begin(Uuid::nil())));
        tokio::pin!(waiting);
        assert!(futures_util::poll!(waiting.as_mut()).is_pending());

        let late = in_flight.begin(Uuid::nil());
        tokio::pin!(late);
        assert!(matches!(futures_util::poll!(late), std::task::Poll::Ready(None)), "at once");
        let other = in_flight.begin(Uuid::from_u128(1)).await;
        assert!(other.is_some(), "another request waits for nothing");
    }
}
