//! A reader at work on this node.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{oneshot, watch};
use tokio::task::AbortHandle;
use tokio::time::{Instant, timeout_at};

use super::stall::Watched;
use crate::log::activity::{Activity, ReaderStage};
use crate::log::unknown::UnknownEvent;

/// A reader at work.
pub(super) struct Running {
    pub stop: watch::Sender<bool>,
    /// Sent when it has ended by itself; closed when it panicked or was aborted.
    pub ended: oneshot::Receiver<Option<UnknownEvent>>,
    pub task: AbortHandle,
    /// It is to stop, and is aborted at this time.
    pub stops_by: Option<Instant>,
    pub watched: Watched,
    pub activity: Arc<Activity>,
}

/// How a reader has ended.
pub(super) enum Ended {
    Stopped,
    /// It has come to an event that this programme does not know.
    Unknown(UnknownEvent),
    Aborted,
}

impl Running {
    /// Lets it finish its transaction, within this time.
    pub(super) fn stop(&mut self, within: Duration) {
        self.stop.send_replace(true);
        self.stops_by.get_or_insert(Instant::now() + within);
    }

    /// Says why it is to be started again, if its checkpoint has stood still for `limit` and it does not say
    /// why itself.
    pub(super) fn stands_still(&mut self, at: (i64, i64), limit: Duration) -> Option<String> {
        let (position, head) = at;
        let stands = self.watched.stands(position, head);
        let activity = self.activity.look();
        // One that fails says so with each attempt, unless an attempt hangs.
        let fails = activity.error.is_some() && activity.lasts < limit;
        // Its checkpoint stays where it is while a long stream is released.
        if activity.stage == ReaderStage::Parked && activity.lasts < limit {
            self.watched = Watched::new(position);
            return None;
        }
        if stands < limit || self.stops_by.is_some() || fails {
            return None;
        }
        let seconds = stands.as_secs();
        Some(format!(
            "it stood still at position {position} of {head} for {seconds} s, and was started again ({activity})"
        ))
    }

    /// Rolls it back.
    pub(super) fn abort(&mut self) {
        self.stops_by = Some(Instant::now());
        self.task.abort();
    }

    /// How it has ended; `None` while it works. One that does not stop in time is aborted: its transaction is
    /// rolled back.
    pub(super) fn ended(&mut self) -> Option<Ended> {
        match self.ended.try_recv() {
            Ok(unknown) => Some(unknown.map_or(Ended::Stopped, Ended::Unknown)),
            Err(oneshot::error::TryRecvError::Closed) => Some(Ended::Aborted),
            Err(oneshot::error::TryRecvError::Empty) => {
                if self.stops_by.is_some_and(|by| by <= Instant::now()) {
                    self.task.abort();
                }
                None
            }
        }
    }

    /// Waits for the end of one that is to stop.
    pub(super) async fn wait(&mut self) {
        let Some(by) = self.stops_by else { return };
        if timeout_at(by, &mut self.ended).await.is_err() {
            self.task.abort();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn an_error_excuses_no_reader_that_hangs_since() {
        let activity = Arc::<Activity>::default();
        activity.fail("no answer".to_owned());
        let ((stop, _stopped), (_end, ended)) = (watch::channel(false), oneshot::channel());
        let (task, watched) = (tokio::spawn(async {}).abort_handle(), Watched::new(1));
        let mut running = Running { stop, ended, task, stops_by: None, watched, activity };

        assert_eq!(running.stands_still((1, 2), Duration::from_mins(1)), None);
        assert!(running.stands_still((1, 2), Duration::ZERO).is_some());
    }
}
