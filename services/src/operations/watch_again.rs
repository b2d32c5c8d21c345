//! Watches a server again that somebody has reached with its credential.

use domain::server::{LiveServer, Server, ServerCommand, Watch};
use domain::{Refused, ServerId, WorkspaceId};
use infra::event_store::{ExecuteError, Receipt};

use super::system_command::SystemCommand;
use crate::wiring::App;

/// Ends a pause of the watch; or a stop, by an event. `live` is the server as it was before it was reached.
/// `None`: there is nothing to append.
///
/// # Errors
/// The event could not be appended: call it again.
pub(crate) async fn watch_again(
    app: &App,
    workspace: WorkspaceId,
    server: ServerId,
    live: &LiveServer,
) -> Result<Option<Receipt>, ExecuteError> {
    if live.watch == Watch::On {
        if let Err(error) = app.monitors.probe_now(server).await {
            tracing::warn!(%server, %error, "the pause of a watch was not ended: it ends by itself");
        }
        return Ok(None);
    }
    SystemCommand::with_id(workspace.into(), app.ids.uuid())
        .step::<Server>(server.0, ServerCommand::ReportReachable)
        .execute(&app.executor, |refused| matches!(refused, Refused::Server(_)))
        .await
}
