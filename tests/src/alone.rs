//! Tests that need the machine: one at a time, and with the large sizes only where these are asked for.

use tokio::sync::{Mutex, MutexGuard};

static MACHINE: Mutex<()> = Mutex::const_new(());

/// Held by a test that kills nodes, measures time, or loads every core: such tests of one binary run
/// one after the other. Others go on beside them.
pub async fn alone() -> MutexGuard<'static, ()> {
    MACHINE.lock().await
}

/// Whether the large sizes are asked for: `.ci/long` sets `LETHE_LONG=1`.
pub fn long() -> bool {
    std::env::var_os("LETHE_LONG").is_some_and(|value| value == "1")
}
