//! Operations on files that may be on a server that does not answer: each has a limit.

use std::io::{Error, ErrorKind, Result};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Semaphore;
use tokio::time::timeout;

/// How long an operation on a small file may take. Two of them are shorter than a transaction may be idle.
pub(super) const WITHIN: Duration = Duration::from_secs(10);
/// Threads that may hang at once: those that come later are refused after the same limit.
const THREADS_MAX: usize = 4;

/// Runs file operations on threads that may block. Clones share them.
#[derive(Clone, Debug)]
pub(super) struct Files(Arc<Semaphore>);

impl Files {
    pub fn new() -> Self {
        Self(Arc::new(Semaphore::new(THREADS_MAX)))
    }

    /// Fails with [`ErrorKind::TimedOut`]: what was begun may go on, and says nothing.
    pub async fn run<T: Send + 'static>(
        &self,
        limit: Duration,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T> {
        let threads = Arc::clone(&self.0);
        let done = timeout(limit, async {
            let thread = threads.acquire_owned().await.map_err(Error::other)?;
            let done = tokio::task::spawn_blocking(move || {
                let done = work();
                drop(thread);
                done
            });
            done.await.map_err(Error::other)
        });
        let late = || format!("no answer within {} s", limit.as_secs_f64());
        done.await.unwrap_or_else(|_| Err(Error::new(ErrorKind::TimedOut, late())))
    }
}
