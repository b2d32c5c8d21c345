//! Ends seat leases whose time is over. It runs on every node, so that no seat waits for another
//! node to acquire the leader lease of one that died: the rows are locked, and each is reaped once.

use infra::postgres::PgError;

use crate::operations::expire_leases::expire_leases;
use crate::wiring::App;

const WORKSPACES_AT_ONCE: i64 = 64;

/// One workspace's trouble is not the others'.
pub(super) async fn reap_due(app: App) -> Result<(), PgError> {
    for workspace in app.seats.overdue(WORKSPACES_AT_ONCE).await? {
        if let Err(error) = expire_leases(&app, workspace).await {
            tracing::warn!(%workspace, %error, "leases that are over could not be ended yet");
        }
    }
    Ok(())
}
