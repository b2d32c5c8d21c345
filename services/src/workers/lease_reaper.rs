//! Expires seat leases. It runs on every node: when a node dies, no seat waits for a leader lease. The
//! rows are locked, so each lease is expired once.

use infra::postgres::PgError;

use crate::operations::expire_leases::expire_leases;
use crate::wiring::App;

const WORKSPACES_AT_ONCE: i64 = 64;

/// An error in one workspace does not stop the others.
pub(super) async fn reap_due(app: App) -> Result<(), PgError> {
    for workspace in app.seats.overdue(WORKSPACES_AT_ONCE).await? {
        if let Err(error) = expire_leases(&app, workspace).await {
            tracing::warn!(%workspace, %error, "overdue seat leases were not expired: tried again in a moment");
        }
    }
    Ok(())
}
