//! A key that was committed must be on disk: rows that are wrapped under it follow.

use super::KeyringError;
use crate::postgres::Pool;

const READ: &str = "select current_setting('synchronous_commit')";
/// `local` and `remote_write` do not wait for a synchronous standby's disk.
const STRONG_ENOUGH: [&str; 2] = ["on", "remote_apply"];

/// Refuses sessions that do not wait until a commit is on disk.
pub(super) async fn check(pool: &Pool) -> Result<(), KeyringError> {
    let setting: String = pool.get().await?.query_one(READ, &[]).await?.try_get(0)?;
    if STRONG_ENOUGH.contains(&setting.as_str()) {
        return Ok(());
    }
    Err(KeyringError::SynchronousCommit(setting))
}
