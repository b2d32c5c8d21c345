//! Ends what runs on the servers of a workspace, while its keys still open the way there.

use chrono::TimeDelta;
use domain::WorkspaceId;
use infra::keyring::{ErasureEntry, RunLeft, RunsLeft};
use infra::postgres::PgError;

use super::error::EraserError;
use crate::wiring::App;

/// So long a server that is away is waited for, from the fence on.
pub(crate) const ENDED_WITHIN: TimeDelta = TimeDelta::hours(1);
/// So long this process tries it, at the least: the nodes may have been down for the rest of it.
pub(crate) const TRIED_FOR: TimeDelta = TimeDelta::minutes(10);
/// So many are counted by one statement.
const AT_ONCE: i64 = 1000;

/// Has the nodes end the runs of a fenced workspace, and records in the ledger which of them were not ended in time.
/// `false`: some are not ended yet. The fence lets no node dispatch another one.
pub(super) async fn end(app: &App, entry: &ErasureEntry) -> Result<bool, EraserError> {
    // It was recorded by a turn that came no further. Its tasks may be deleted.
    if entry.runs_left.is_some() {
        return Ok(true);
    }
    let workspace = WorkspaceId(entry.subject.0);
    if app.run_queue.begun(workspace, None, 1).await?.is_empty() {
        return Ok(true);
    }
    app.run_queue.end_of_workspace(workspace).await?;
    let now = app.clock.now();
    let is_over = entry.fenced_at.is_some_and(|at| now - at >= ENDED_WITHIN)
        && app.stuck_erasures.stuck_for(entry.subject, now) >= TRIED_FOR;
    if !is_over {
        return Ok(false);
    }
    let left = not_ended(app, workspace).await?;
    let runs = left.count;
    tracing::warn!(%workspace, runs, "an erased workspace has runs that were not ended: their servers were not reached");
    app.keyring.ledger.note_runs_left(entry.subject, &left).await?;
    Ok(true)
}

async fn not_ended(app: &App, workspace: WorkspaceId) -> Result<RunsLeft, PgError> {
    let (mut left, mut after) = (RunsLeft::default(), None);
    loop {
        let page = app.run_queue.begun(workspace, after, AT_ONCE).await?;
        let Some(last) = page.last() else { return Ok(left) };
        after = Some((last.run, last.server));
        for task in page.iter().filter(|task| task.launched) {
            left.push(RunLeft { run: task.run, server: task.server });
        }
    }
}
