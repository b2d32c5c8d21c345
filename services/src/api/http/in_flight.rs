//! Requests with an `Idempotency-Key` that this node is serving: the same one waits meanwhile.

use std::collections::{HashMap, HashSet};
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
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
    waiting: Mutex<Waiting>,
}

/// Who waits, by subscriber.
#[derive(Default)]
struct Waiting {
    all: usize,
    of: HashMap<IpAddr, usize>,
}

/// A place to wait, until this is dropped.
struct Place {
    subscriber: IpAddr,
    all: InFlight,
}

/// A request that is being served, until this is dropped.
pub struct Serving {
    id: Uuid,
    all: InFlight,
}

impl Default for InFlight {
    fn default() -> Self {
        let (served, ended, waiting) = (Mutex::default(), Notify::new(), Mutex::default());
        Self(Arc::new(Inner { served, ended, waiting }))
    }
}

impl InFlight {
    /// Waits for the one that is being served. `None`: for too long, or too many of the subscriber, or of
    /// all, wait already.
    pub async fn begin(&self, id: Uuid, subscriber: IpAddr) -> Option<Serving> {
        self.begin_within(id, subscriber, WAIT).await
    }

    async fn begin_within(&self, id: Uuid, subscriber: IpAddr, limit: Duration) -> Option<Serving> {
        if let Some(serving) = self.try_begin(id) {
            return Some(serving);
        }
        let _place = self.place(subscriber)?;
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

    /// A subscriber may take as many places as are left to others then: there is one for the next.
    fn place(&self, subscriber: IpAddr) -> Option<Place> {
        let mut waiting = self.waiting();
        let own = waiting.of.get(&subscriber).copied().unwrap_or_default();
        if own >= WAITING_MAX.saturating_sub(waiting.all) {
            return None;
        }
        waiting.of.insert(subscriber, own + 1);
        waiting.all += 1;
        Some(Place { subscriber, all: self.clone() })
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.0.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn served(&self) -> MutexGuard<'_, HashSet<Uuid>> {
        self.0.served.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut waiting = self.all.waiting();
        waiting.all = waiting.all.saturating_sub(1);
        let left = waiting.of.get(&self.subscriber).map_or(0, |own| own.saturating_sub(1));
        if left == 0 {
            waiting.of.remove(&self.subscriber);
        } else {
            waiting.of.insert(self.subscriber, left);
        }
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
    use std::net::Ipv4Addr;

    use futures_util::FutureExt;
    use futures_util::future::join_all;
    use futures_util::poll;

    use super::*;

    const HOME: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1));
    const WORK: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 2));

    const SHORT: Duration = Duration::from_millis(20);

    #[tokio::test]
    async fn a_request_is_served_once_at_a_time_and_the_next_one_waits() {
        let (in_flight, [one, two]) = (InFlight::default(), [1, 2].map(Uuid::from_u128));
        let first = in_flight.begin(one, HOME).await;
        assert!(first.is_some() && in_flight.begin(two, HOME).await.is_some());
        assert!(in_flight.begin_within(one, HOME, SHORT).await.is_none(), "for too long");

        let (again, ()) = tokio::join!(in_flight.begin(one, HOME), async { drop(first) });

        assert!(again.is_some());
    }

    #[tokio::test]
    async fn those_that_wait_are_served_one_after_another() {
        let in_flight = InFlight::default();
        let served = Mutex::new((0, 0));
        let all = (0..64).map(|_| async {
            let serving = in_flight.begin(Uuid::nil(), HOME).await.unwrap();
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
    async fn nobody_takes_the_places_of_others() {
        let in_flight = InFlight::default();
        let _first = in_flight.begin(Uuid::nil(), HOME).await.unwrap();
        let wait = |count: usize, who: IpAddr| {
            let in_flight = &in_flight;
            join_all((0..count).map(move |_| in_flight.begin(Uuid::nil(), who)))
        };
        let home = wait(WAITING_MAX / 2, HOME);
        tokio::pin!(home);
        assert!(poll!(home.as_mut()).is_pending());

        assert!(refused(&in_flight, HOME), "as many as are left");

        let work = wait(WAITING_MAX / 4, WORK);
        tokio::pin!(work);
        assert!(poll!(work.as_mut()).is_pending());
        assert!(refused(&in_flight, WORK));
        let other = in_flight.begin(Uuid::from_u128(1), HOME).await;
        assert!(other.is_some(), "another request waits for nothing");
    }

    #[tokio::test]
    async fn so_many_wait_and_no_more_and_their_places_are_free_again() {
        let in_flight = InFlight::default();
        let first = in_flight.begin(Uuid::nil(), HOME).await.unwrap();
        let all = (0..WAITING_MAX).map(|number| {
            let who = IpAddr::from(u32::try_from(number).unwrap().to_be_bytes());
            in_flight.begin(Uuid::nil(), who)
        });
        let mut all = Box::pin(join_all(all));
        assert!(poll!(all.as_mut()).is_pending());
        assert!(refused(&in_flight, HOME) && refused(&in_flight, WORK), "at once");

        drop(all);
        drop(first);

        assert_eq!(in_flight.waiting().all, 0);
        assert!(in_flight.waiting().of.is_empty());
    }

    fn refused(in_flight: &InFlight, who: IpAddr) -> bool {
        let late = in_flight.begin(Uuid::nil(), who);
        matches!(late.now_or_never(), Some(None))
    }
}
