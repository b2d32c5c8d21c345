//! Makes room for the logs of the next days, and drops those of days that are past their time.

use infra::run_log::RunLogError;

use crate::wiring::App;

pub(super) async fn retain(app: App) -> Result<(), RunLogError> {
    let days = app.run_logs.retain().await?;
    if days > 0 {
        tracing::info!(days, "logs of runs came to their end");
    }
    Ok(())
}
