//! What a start does before it serves: after a restore of the log, what the restore needs.

use domain::TenantId;
use domain::log::{LOG, Log, LogCommand};
use infra::event_store::ExecuteError;

use infra::log::watermark::{Known, Lost, lock_restores};
use infra::log::{delete_snapshots, restart_past};
use infra::postgres::{DatabaseUrl, PgError};

use super::after_restore::{replay_ledger, replay_under_way};
use crate::operations::system_command::SystemCommand;
use crate::wiring::App;

/// Compares the log with the newest event that is known, and does what its restore needs. `keyring` is the
/// keyring's database.
///
/// # Errors
/// A database or the mail folder fails: nothing may be served, and the next start goes on.
pub async fn prepare(app: &App, keyring: &DatabaseUrl) -> Result<(), String> {
    match app.watermark.load().await.map_err(|error| error.to_string())? {
        Known::Same => {
            begin_keeping(app).await?;
            return replay_under_way(app).await;
        }
        // It may have been restored while an older version ran.
        Known::Nothing => replay_ledger(app).await.map(drop)?,
        Known::WentBack => restore(app, keyring).await?,
    }
    // Not before all is done: the next start would find the log as it is known.
    begin_keeping(app).await
}

async fn begin_keeping(app: &App) -> Result<(), String> {
    app.watermark.begin_keeping().await.map_err(|error| error.to_string())
}

/// Each step may be done again: a start that is killed is followed by one that does the whole again.
async fn restore(app: &App, keyring: &DatabaseUrl) -> Result<(), String> {
    // Nodes that start at the same time do it once.
    let _lock = lock_restores(keyring).await.map_err(|error| error.to_string())?;
    if let Some(lost) = app.watermark.begin_restore().await.map_err(|error| error.to_string())? {
        tracing::warn!(
            known = lost.through,
            head = lost.head,
            "the log went back: it ended before an event that was known, or is another one"
        );
        replay_ledger(app).await?;
        let left = leave_what_may_be_done(app, lost).await.map_err(|error| error.to_string())?;
        record(app, lost).await.map_err(|error| error.to_string())?;
        app.watermark.finish_restore().await.map_err(|error| error.to_string())?;
        tracing::warn!(
            sessions = left.sessions,
            tasks = left.tasks,
            mails = left.mails,
            projections = left.projections,
            "what the restore of the log needs is done: sessions are ended, tasks of runs are lost, mails \
             that may have gone are unknown, projections that had read further are built again"
        );
    }
    app.watermark.watermark().check().map_err(|why| why.to_string())
}

struct Left {
    sessions: i64,
    tasks: u64,
    mails: u64,
    projections: usize,
}

/// What the restored log brings back may be over, and what it wants done may be done: neither is repeated.
async fn leave_what_may_be_done(app: &App, lost: Lost) -> Result<Left, PgError> {
    let sessions = app.sessions.end_all().await?;
    let tasks = app.run_queue.lose_all().await?;
    let mails = app.outbox.give_up_all().await?;
    app.metrics.mails_handled.with_label_values(&["unknown"]).inc_by(mails);
    let projections = restart_past(&app.pool, lost.head).await?;
    delete_snapshots(&app.pool).await?;
    Ok(Left { sessions, tasks, mails, projections })
}

/// Appends `log.restored`, once for each restore.
async fn record(app: &App, lost: Lost) -> Result<(), ExecuteError> {
    let restore = lost.restores.unsigned_abs() + 1;
    let known = lost.through.to_be_bytes();
    let cause: [&[u8]; 3] = [b"log.restored", &restore.to_be_bytes(), &known];
    let command = LogCommand::RecordRestore { restore, head: lost.head, known: lost.through };
    SystemCommand::new(TenantId(LOG), &cause)
        .step::<Log>(LOG, command)
        .execute(&app.executor, |_| true)
        .await
        .map(drop)
}
