//! One test at a time, for those that need the machine.

use tokio::sync::{Mutex, MutexGuard};

static MACHINE: Mutex<()> = Mutex::const_new(());

/// Held by a test that kills nodes, measures time, or loads every core: such tests of one binary run
/// one after the other. Others go on beside them.
pub async fn alone() -> MutexGuard<'static, ()> {
    MACHINE.lock().await
}
