//! The operations on the folder of a copy. It may be on a server that does not answer: each has a limit.

use std::io::ErrorKind;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Semaphore;
use tokio::time::timeout;

use super::super::KeyringError;
use super::failed;

/// Threads that may hang at once: those that come later are refused after the same limit.
const THREADS_MAX: usize = 4;
/// Making a large file durable takes longer than any other operation.
const SYNC: Duration = Duration::from_mins(10);

/// Runs file operations on threads that may block.
pub(super) struct Disk {
    limit: Duration,
    threads: Arc<Semaphore>,
}

impl Disk {
    pub fn new(limit: Duration) -> Self {
        Self { limit, threads: Arc::new(Semaphore::new(THREADS_MAX)) }
    }

    pub async fn run<T: Send + 'static>(
        &self,
        path: &Path,
        work: impl FnOnce() -> Result<T, KeyringError> + Send + 'static,
    ) -> Result<T, KeyringError> {
        self.within(self.limit, path, work).await
    }

    pub async fn sync<T: Send + 'static>(
        &self,
        path: &Path,
        work: impl FnOnce() -> Result<T, KeyringError> + Send + 'static,
    ) -> Result<T, KeyringError> {
        self.within(SYNC, path, work).await
    }

    async fn within<T: Send + 'static>(
        &self,
        limit: Duration,
        path: &Path,
        work: impl FnOnce() -> Result<T, KeyringError> + Send + 'static,
    ) -> Result<T, KeyringError> {
        let threads = Arc::clone(&self.threads);
        let done = timeout(limit, async {
            let thread = threads.acquire_owned().await.map_err(std::io::Error::other)?;
            let done = tokio::task::spawn_blocking(move || {
                let done = work();
                drop(thread);
                done
            });
            done.await.map_err(std::io::Error::other)
        });
        let Ok(done) = done.await else {
            let reason = format!("no answer within {} s", limit.as_secs());
            return Err(failed(path, std::io::Error::new(ErrorKind::TimedOut, reason)));
        };
        done.map_err(|reason| failed(path, reason))?
    }
}
