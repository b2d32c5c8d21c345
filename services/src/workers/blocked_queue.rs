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

#[derive(Debug)]
struct Try {
    state: String,
    at: Instant,
    pause: Duration,
}

impl BlockedQueue {
    /// Whether the queue is tried now. `state` is another one whenever a task may have become free; a queue
    /// without a task that waits has none.
    pub(super) fn is_tried(&mut self, state: Option<String>, now: Instant) -> bool {
        let Some(state) = state else {
            self.tried = None;
            return false;
        };
        let pause = match &self.tried {
            Some(last) if last.state == state => {
                if now.saturating_duration_since(last.at) < last.pause {
                    return false;
                }
                PAUSE_MAX.min(2 * last.pause)
            }
            Some(_) | None => PAUSE,
        };
        self.tried = Some(Try { state, at: now, pause });
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// At which seconds of two minutes it is tried.
    fn tries(queue: &mut BlockedQueue, state: &str, since: Instant) -> Vec<u64> {
        let looks = (0..120).step_by(2);
        let is_tried = |second: &u64| {
            queue.is_tried(Some(state.to_owned()), since + Duration::from_secs(*second))
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

        assert!(queue.is_tried(Some("b".to_owned()), later));
        assert!(!queue.is_tried(None, later), "nothing waits");
        assert!(queue.is_tried(Some("b".to_owned()), later));
        assert!(!queue.is_tried(Some("b".to_owned()), later));
    }
}
