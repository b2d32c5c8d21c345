//! Wakes readers in this process when lines are stored. Readers in other processes poll.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;

use super::chunk::LogKey;

/// The number of logs that can be followed at the same time; followers of further logs poll.
const WATCHED_MAX: usize = 16_384;

#[derive(Default)]
pub(super) struct Wakes(Mutex<HashMap<LogKey, watch::Sender<u64>>>);

impl Wakes {
    pub fn notify(&self, task: &LogKey, lines: u64) {
        if let Some(sender) = self.watched().get(task) {
            sender.send_replace(lines);
        }
    }

    pub fn watch(self: &Arc<Self>, task: LogKey) -> Watch {
        let mut watched = self.watched();
        let receiver = match watched.get(&task) {
            Some(sender) => sender.subscribe(),
            None if watched.len() >= WATCHED_MAX => {
                return Watch { wakes: Arc::clone(self), task, receiver: None };
            }
            None => {
                let (sender, receiver) = watch::channel(0);
                watched.insert(task, sender);
                receiver
            }
        };
        Watch { wakes: Arc::clone(self), task, receiver: Some(receiver) }
    }

    fn watched(&self) -> MutexGuard<'_, HashMap<LogKey, watch::Sender<u64>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    #[cfg(test)]
    pub fn count(&self) -> usize {
        self.watched().len()
    }
}

/// Follows one log until it is dropped.
pub struct Watch {
    wakes: Arc<Wakes>,
    task: LogKey,
    receiver: Option<watch::Receiver<u64>>,
}

impl std::fmt::Debug for Watch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Watch").field("task", &self.task).finish_non_exhaustive()
    }
}

impl Watch {
    /// Waits until a writer of this process has stored lines since the last call, or since the watch
    /// began. Use a time limit: it never ends for a log that another process writes.
    pub async fn changed(&mut self) {
        if let Some(receiver) = &mut self.receiver
            && receiver.changed().await.is_ok()
        {
            return;
        }
        std::future::pending::<()>().await;
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        let mut watched = self.wakes.watched();
        let last = |sender: &watch::Sender<u64>| sender.receiver_count() <= 1;
        if self.receiver.is_some() && watched.get(&self.task).is_some_and(last) {
            watched.remove(&self.task);
        }
    }
}
