//! A server that an earlier Lethe left behind: it is stopping, and is waited for.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

/// Waits until no server works in `data`, and asks a running one to stop. The caller has the folder's
/// lock, so no other Lethe uses that server. `Err`: the id of the process that still runs after `limit`.
pub(super) fn wait_for_end(data: &Path, limit: Duration) -> Result<(), u32> {
    let until = Instant::now() + limit;
    let mut interrupted = false;
    while let Some(pid) = server_of(data) {
        if Instant::now() >= until {
            return Err(pid);
        }
        if !interrupted {
            tracing::info!(pid, "waiting for an earlier PostgreSQL to stop");
            interrupt(pid);
            interrupted = true;
        }
        thread::sleep(Duration::from_millis(20));
    }
    Ok(())
}

/// The process that the pid file names, if it lives and works in this very folder: after a reboot
/// the same number may be anybody's.
fn server_of(data: &Path) -> Option<u32> {
    let file = fs::read_to_string(data.join("postmaster.pid")).ok()?;
    let pid: u32 = file.lines().next()?.trim().parse().ok()?;
    let works_in = fs::read_link(format!("/proc/{pid}/cwd")).ok()?;
    (works_in == fs::canonicalize(data).ok()?).then_some(pid)
}

fn interrupt(pid: u32) {
    let sent = Command::new("sh")
        .args(["-c", "kill -INT \"$0\"", &pid.to_string()])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    if let Err(error) = sent {
        tracing::warn!(pid, %error, "cannot signal the earlier PostgreSQL");
    }
}
