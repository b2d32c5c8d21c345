//! Measures a server: CPU, memory, disk, load and uptime, read from /proc by one command.

mod parse;
#[cfg(test)]
mod tests;

use std::time::Duration;

use domain::server::ConnectFailure;

use super::{Connection, Limits, RemoteError};

/// One line that means the same to every login shell: no newline, backslash, `!` or quote. The shell
/// itself reads /proc; `df` is the only other programme.
const COMMAND: &str = include_str!("sample.sh");
const LIMITS: Limits = Limits { within: Duration::from_secs(15), bytes_max: 64 * 1024 };

/// One measurement.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sample {
    /// Since the server was started: compare two samples.
    pub cpu: CpuTime,
    /// In all.
    pub memory_bytes: u64,
    /// What a new programme could use without swapping (`MemAvailable`).
    pub memory_available_bytes: u64,
    /// Of the file system of `/`.
    pub disk_bytes: u64,
    /// For a user who is not root.
    pub disk_available_bytes: u64,
    /// Over 1, 5 and 15 minutes.
    pub load: [f64; 3],
    /// Since the server was started.
    pub uptime_seconds: f64,
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

/// Measures the server now. It costs the server some milliseconds of CPU.
///
/// # Errors
/// `Refused(Command)` where the server has no /proc or `df`.
pub async fn sample(connection: &Connection) -> Result<Sample, RemoteError> {
    let done = connection.exec(COMMAND.trim_end(), b"", LIMITS).await?;
    // A server without /proc or df answers, but not with a sample.
    parse::sample(&done.out).ok_or(RemoteError::Refused(ConnectFailure::Command))
}
