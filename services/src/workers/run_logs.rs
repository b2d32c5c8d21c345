//! Creates the partitions of the next days for the logs of runs, and deletes expired ones.

use infra::run_log::RunLogError;

use crate::wiring::App;

pub(super) async fn retain(app: App) -> Result<(), RunLogError> {
    let days = app.run_logs.retain().await?;
    if days > 0 {
        tracing::info!(days, "expired logs of runs were deleted");
    }
    Ok(())
}
