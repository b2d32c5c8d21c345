//! The operations on the folder of a copy. It may be on a server that does not answer: each has a limit.

use std::path::Path;
use std::time::Duration;

use super::super::KeyringError;
use super::super::files::Files;
use super::failed;

/// Making a large file durable takes longer than any other operation.
const SYNC: Duration = Duration::from_mins(10);

/// Runs file operations on threads that may block.
pub(super) struct Disk {
    limit: Duration,
    files: Files,
}

impl Disk {
    pub fn new(limit: Duration) -> Self {
        Self { limit, files: Files::new() }
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
        self.files.run(limit, work).await.map_err(|reason| failed(path, reason))?
    }
}
