//! Removes what attempts have left on their servers: where that could not be done when they ended, and the notes that
//! stay of all of them.

use domain::{ServerId, WorkspaceId};
use futures_util::future::join_all;
use infra::postgres::PgError;
use infra::remote::Connection;
use infra::remote::task::{self, TaskId};
use infra::run_queue::{DueLeftover, Leftover};

use super::attempt::{AttemptError, Reached, Way, is_removed, name_left};
use crate::wiring::App;

/// So many servers are connected to at the same time.
const AT_ONCE: i64 = 16;
/// While many servers are away, a sweep tries some only, and the next one goes on.
const PAGES_MAX: usize = 20;
/// A server of which more attempts are wanted is not swept: a sweep names each, some 80 bytes.
const WANTED_MAX: usize = 1000;

pub(in crate::workers) async fn remove_leftovers(app: App) -> Result<(), PgError> {
    for _ in 0..PAGES_MAX {
        let due = app.run_queue.take_leftovers(AT_ONCE).await?;
        if due.is_empty() {
            return Ok(());
        }
        let removals = due.into_iter().map(|due| remove(&app, due));
        for removed in join_all(removals).await {
            removed?;
        }
    }
    Ok(())
}

async fn remove(app: &App, due: DueLeftover) -> Result<(), PgError> {
    let DueLeftover { leftover, place, is_last } = due;
    let Leftover { run, server, attempt, workspace } = leftover;
    let id = TaskId { run, server, attempt };
    let is_over = match Way::new(app.clone(), workspace, server, place).connect().await {
        Ok(Reached { connection, .. }) => is_removed(&connection, &id).await,
        Err(AttemptError::ServerDeleted) => true,
        Err(_) => false,
    };
    if is_last && !is_over {
        name_left(&id, "its server was not reached for days, or did not do it");
    }
    if is_last || is_over {
        app.run_queue.delete_leftover(leftover).await?;
    }
    Ok(())
}

/// Deletes what a server keeps of commands that ended two weeks ago and that nobody waits for. What cannot be deleted is
/// tried again on the next new connection.
pub(in crate::workers) async fn sweep_server(
    app: &App,
    workspace: WorkspaceId,
    server: ServerId,
    connection: &Connection,
) {
    let limit = i64::try_from(WANTED_MAX + 1).unwrap_or(i64::MAX);
    let wanted = match app.run_queue.begun_on(workspace, server, limit).await {
        Ok(wanted) if wanted.len() > WANTED_MAX => return,
        Ok(wanted) => wanted,
        Err(error) => {
            tracing::debug!(%server, %error, "a server was not swept: it is not known which runs are wanted");
            return;
        }
    };
    let wanted: Vec<TaskId> =
        wanted.into_iter().map(|(run, attempt)| TaskId { run, attempt, server }).collect();
    if let Err(error) = task::sweep(connection, server, &wanted).await {
        tracing::debug!(%server, %error, "a server was not swept");
    }
}
