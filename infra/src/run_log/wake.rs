//! Wakes the readers of logs in this process: at once for what it stores itself, and by one statement for all of
//! them for lines that other nodes store, and for events of the runs.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use domain::RunId;
use tokio::sync::watch;
use tokio::time::Instant;

use super::chunk::LogKey;
use super::read::{Opened, PageBuilder};
use super::rows::{self, LogPart};
use super::{LogPage, RunLogError, RunLogs};

/// The number of logs that can be followed at the same time; followers of further logs look for themselves.
pub(super) const FOLLOWED_MAX: usize = 16_384;
/// One statement so often, however many logs are followed.
const LOOK_EVERY: Duration = Duration::from_millis(250);
const LOOK_ALONE_EVERY: Duration = Duration::from_secs(1);
/// Logs that one statement looks for.
const LOOKED_FOR_MAX: usize = 1000;
/// A chunk that was just stored is kept in clear for those who follow its log: no longer than a node may use
/// a key without asking for it again.
const RECENT_FOR: Duration = Duration::from_secs(1);
/// Of one log.
const RECENT_BYTES_MAX: usize = 512 * 1024;

/// What is known of a log and its run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct News {
    /// The newest line that is stored.
    pub lines: u64,
    /// The newest version of the run's stream that was found.
    pub run_version: i64,
    /// How often this process has appended events of the run.
    pub appends: u64,
}

#[derive(Default)]
pub(super) struct Wakes {
    followed: Mutex<HashMap<LogKey, Followed>>,
    /// When the last look began. Whoever looks holds it.
    looked: Arc<tokio::sync::Mutex<Option<Instant>>>,
}

struct Followed {
    news: watch::Sender<News>,
    /// In order.
    recent: VecDeque<Recent>,
}

struct Recent {
    stored: Instant,
    chunk: Arc<Opened>,
}

impl Followed {
    fn keep(&mut self, chunk: Opened) {
        self.recent.push_back(Recent { stored: Instant::now(), chunk: Arc::new(chunk) });
        let bytes = |recent: &VecDeque<Recent>| -> usize {
            recent.iter().map(|recent| recent.chunk.bytes()).sum()
        };
        while bytes(&self.recent) > RECENT_BYTES_MAX {
            self.recent.pop_front();
        }
        self.forget_old();
    }

    fn forget_old(&mut self) {
        while self.recent.front().is_some_and(|first| first.stored.elapsed() >= RECENT_FOR) {
            self.recent.pop_front();
        }
    }
}

impl Wakes {
    /// Whether anybody in this process follows the log.
    pub fn is_followed(&self, task: &LogKey) -> bool {
        self.followed().contains_key(task)
    }

    /// A chunk was stored.
    pub fn stored(&self, task: &LogKey, chunk: Opened) {
        if let Some(followed) = self.followed().get_mut(task) {
            let lines = chunk.after.lines;
            followed.keep(chunk);
            followed.news.send_modify(|news| news.lines = news.lines.max(lines));
        }
    }

    fn appended(&self, run: RunId) {
        let all = self.followed();
        for (_, followed) in all.iter().filter(|(task, _)| task.run == run) {
            followed.news.send_modify(|news| news.appends += 1);
        }
    }

    fn found(&self, task: &LogKey, lines: u64, run_version: i64) {
        if let Some(followed) = self.followed().get_mut(task) {
            followed.forget_old();
            followed.news.send_if_modified(|news| {
                let before = *news;
                news.lines = news.lines.max(lines);
                news.run_version = news.run_version.max(run_version);
                *news != before
            });
        }
    }

    /// The chunks after line `after` that were just stored, if the first of them is there.
    fn recent(&self, task: &LogKey, after: u64) -> Vec<Arc<Opened>> {
        let mut all = self.followed();
        let Some(followed) = all.get_mut(task) else { return Vec::new() };
        followed.forget_old();
        let mut last = after;
        let mut chunks = Vec::new();
        for Recent { chunk, .. } in &followed.recent {
            if (chunk.before.lines..chunk.after.lines).contains(&last) {
                last = chunk.after.lines;
                chunks.push(Arc::clone(chunk));
            }
        }
        chunks
    }

    fn follow(&self, task: LogKey) -> Option<watch::Receiver<News>> {
        let mut all = self.followed();
        if let Some(followed) = all.get(&task) {
            return Some(followed.news.subscribe());
        }
        if all.len() >= FOLLOWED_MAX {
            return None;
        }
        let (news, receiver) = watch::channel(News::default());
        all.insert(task, Followed { news, recent: VecDeque::new() });
        Some(receiver)
    }

    fn followed(&self) -> MutexGuard<'_, HashMap<LogKey, Followed>> {
        self.followed.lock().unwrap_or_else(PoisonError::into_inner)
    }

    #[cfg(test)]
    pub fn count(&self) -> usize {
        self.followed().len()
    }
}

impl RunLogs {
    /// Follows a log, and the events of its run.
    pub fn watch(&self, task: &LogKey) -> Watch {
        let receiver = self.0.wakes.follow(*task);
        Watch { logs: self.clone(), task: *task, receiver, look_at: Instant::now() + LOOK_EVERY }
    }

    /// This process has appended events of the run: those who follow its logs are woken.
    pub fn run_appended(&self, run: RunId) {
        self.0.wakes.appended(run);
    }

    /// Starts a look, unless one is under way or was begun just now. It goes on if nobody waits for it any
    /// more, since a statement that is given up costs its connection.
    fn look_if_due(&self) {
        let looked = Arc::clone(&self.0.wakes.looked);
        let Ok(mut looked) = looked.try_lock_owned() else { return };
        if looked.is_some_and(|at| at.elapsed() < LOOK_EVERY) {
            return;
        }
        *looked = Some(Instant::now());
        let logs = self.clone();
        tokio::spawn(async move {
            if let Err(error) = logs.look().await {
                tracing::debug!(%error, "what other nodes have stored in logs is not known: it is asked again");
            }
            drop(looked);
        });
    }

    async fn look(&self) -> Result<(), RunLogError> {
        let followed: Vec<LogKey> = self.0.wakes.followed().keys().copied().collect();
        // The writer's day, also right after midnight.
        let since = self.today().pred_opt().ok_or(RunLogError::Number)?;
        for tasks in followed.chunks(LOOKED_FOR_MAX) {
            let newest = rows::newest(&self.0.pool, tasks, since).await?;
            for (task, (lines, run_version)) in tasks.iter().zip(newest) {
                self.0.wakes.found(task, lines, run_version);
            }
        }
        Ok(())
    }
}

/// Follows one log until it is dropped.
pub struct Watch {
    logs: RunLogs,
    task: LogKey,
    /// `None`: too many logs are followed.
    receiver: Option<watch::Receiver<News>>,
    look_at: Instant,
}

impl std::fmt::Debug for Watch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Watch").field("task", &self.task).finish_non_exhaustive()
    }
}

impl Watch {
    /// Waits for news since [`Self::news`] was called last, or since the watch began. What other nodes
    /// store is found within a quarter of a second. Cancel safe.
    pub async fn changed(&mut self) {
        let Some(receiver) = &mut self.receiver else {
            tokio::time::sleep(LOOK_ALONE_EVERY).await;
            return;
        };
        loop {
            tokio::select! {
                Ok(()) = receiver.changed() => return,
                () = tokio::time::sleep_until(self.look_at) => {
                    self.look_at = Instant::now() + LOOK_EVERY;
                    self.logs.look_if_due();
                }
            }
        }
    }

    /// What is known now; `None`: nothing is, so whoever follows has to look.
    pub fn news(&mut self) -> Option<News> {
        self.receiver.as_mut().map(|receiver| *receiver.borrow_and_update())
    }

    /// As [`RunLogs::read`]; lines that this process has just stored are not read back from the database.
    /// What is in no page yet is in the next one, after `through`.
    pub async fn read(
        &self,
        part: LogPart,
        after: u64,
        limit: usize,
    ) -> Result<LogPage, RunLogError> {
        // It stays news.
        let stored = self.receiver.as_ref().map_or(0, |receiver| receiver.borrow().lines);
        let recent = self.logs.0.wakes.recent(&self.task, after);
        if recent.is_empty() {
            let page = self.logs.read(&self.task, part, after, limit).await?;
            // Lines of the other streams are in no chunk that was read.
            let through = page.next.unwrap_or_else(|| page.through.max(stored));
            return Ok(LogPage { through, ..page });
        }
        let mut page = PageBuilder::new(part, after, limit);
        for chunk in recent {
            if !page.add(&chunk)? {
                break;
            }
        }
        Ok(page.finish())
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        let mut all = self.logs.0.wakes.followed();
        let is_last = |followed: &Followed| followed.news.receiver_count() <= 1;
        if self.receiver.is_some() && all.get(&self.task).is_some_and(is_last) {
            all.remove(&self.task);
        }
    }
}
