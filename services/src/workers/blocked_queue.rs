//! When a queue of which nothing could be taken is tried again.

use std::time::{Duration, Instant};

const PAUSE: Duration = Duration::from_secs(4);
/// What has changed beyond the state that is compared waits this long.
const PAUSE_MAX: Duration = Duration::from_secs(30);

/// A claim looks at hundreds of tasks before it knows that none can be taken: where the queue is as it was at the last
/// try, the next one comes later and later.
#[derive(Debug, Default)]
pub(super) struct BlockedQueue {
    tried: Option<Try>,
}

/// Why the queue is tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Tried {
    /// A task may have become free since the last try, or there was none.
    Changed,
    /// It is as it was: what cannot be seen may have changed.
    Again,
}

#[derive(Debug)]
struct Try {
    state: String,
    at: Instant,
    pause: Duration,
}

impl BlockedQueue {
    /// Whether the queue is tried now. `state` is another one whenever a task may have become free; a queue
    /// without a task that waits has none.
    pub(super) fn is_tried(&mut self, state: Option<String>, now: Instant) -> Option<Tried> {
        let Some(state) = state else {
            self.tried = None;
            return None;
        };
        let (why, pause) = match &self.tried {
            Some(last) if last.state == state => {
                if now.saturating_duration_since(last.at) < last.pause {
                    return None;
                }
                (Tried::Again, PAUSE_MAX.min(2 * last.pause))
            }
            Some(_) | None => (Tried::Changed, PAUSE),
        };
        self.tried = Some(Try { state, at: now, pause });
        Some(why)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// At which seconds of two minutes it is tried.
    fn tries(queue: &mut BlockedQueue, state: &str, since: Instant) -> Vec<u64> {
        let looks = (0..120).step_by(2);
        let is_tried = |second: &u64| {
            let now = since + Duration::from_secs(*second);
            queue.is_tried(Some(state.to_owned()), now).is_some()
        };
        looks.filter(is_tried).collect()
    }

    #[test]
    fn a_queue_that_stays_as_it_is_is_tried_less_and_less() {
        let tries = tries(&mut BlockedQueue::default(), "a", Instant::now());

        assert_eq!(tries, [0, 4, 12, 28, 58, 88, 118]);
    }

    #[test]
    fn a_queue_that_has_changed_is_tried_at_once() {
        let (mut queue, now) = (BlockedQueue::default(), Instant::now());
        tries(&mut queue, "a", now);
        let later = now + Duration::from_mins(2);

        let state = || Some("b".to_owned());
        assert_eq!(queue.is_tried(state(), later), Some(Tried::Changed));
        assert_eq!(queue.is_tried(None, later), None, "nothing waits");
        assert_eq!(queue.is_tried(state(), later), Some(Tried::Changed));
        assert_eq!(queue.is_tried(state(), later), None);
        assert_eq!(queue.is_tried(state(), later + PAUSE), Some(Tried::Again));
    }
}
