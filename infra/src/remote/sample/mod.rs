//! Measures a server: CPU, memory, disk, load and uptime, read by one script. Each may be missing alone.

mod parse;
#[cfg(test)]
mod tests;

use std::time::Duration;

use domain::server::ConnectFailure;

use super::{Connection, Limits, RemoteError};

/// Means the same to every login shell: the script comes by standard input.
const COMMAND: &str = "exec sh";
/// The shell itself reads /proc; `df`, which may take 5 seconds, and its timer are the only other programmes.
const SCRIPT: &str = include_str!("sample.sh");
const LIMITS: Limits = Limits { within: Duration::from_secs(15), bytes_max: 64 * 1024 };

/// One measurement: what the server has shown of it.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Sample {
    /// Since the server was started: compare two samples.
    pub cpu: Option<CpuTime>,
    /// In all.
    pub memory_bytes: Option<u64>,
    /// What a new programme could use without swapping (`MemAvailable`, since Linux 3.14); never more than
    /// all.
    pub memory_available_bytes: Option<u64>,
    /// Of the file system of `/`.
    pub disk: Option<DiskSpace>,
    /// Over 1, 5 and 15 minutes.
    pub load: Option<[f64; 3]>,
    /// Since the server was started.
    pub uptime_seconds: Option<f64>,
}

/// The size of a file system.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DiskSpace {
    /// In all.
    pub bytes: u64,
    /// For a user who is not root.
    pub available_bytes: u64,
}

/// CPU time of all cores since the server was started, in ticks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CpuTime {
    /// Neither idle nor waiting for I/O.
    pub busy: u64,
    /// Busy, idle and waiting.
    pub total: u64,
}

impl CpuTime {
    /// The share of busy time since `earlier`, from 0 to 1; `None` when no tick has passed or the
    /// server has been restarted.
    pub fn share_since(self, earlier: Self) -> Option<f64> {
        let total = self.total.checked_sub(earlier.total).filter(|total| *total > 0)?;
        // Waiting for I/O is idle, and the kernel may take some of it back.
        let busy = self.busy.saturating_sub(earlier.busy).min(total);
        #[allow(clippy::cast_precision_loss, reason = "a share needs no 53 bits")]
        Some(busy as f64 / total as f64)
    }
}

/// Measures the server now. It costs the server some milliseconds of CPU, and 5 seconds where `df` does not
/// answer.
///
/// # Errors
/// `Refused(Command)` where the server does not run the script.
pub async fn sample(connection: &Connection) -> Result<Sample, RemoteError> {
    let done = connection.exec(COMMAND, SCRIPT.as_bytes(), LIMITS).await?;
    parse::sample(&done.out).ok_or(RemoteError::Refused(ConnectFailure::Command))
}
