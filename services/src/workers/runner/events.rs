//! The events that an attempt appends. Each is appended once: its command id is derived from the task
//! and its fence.

use domain::Refused;
use domain::run::{Ending, LogSeal, LossCause, Run, RunCommand, RunError};
use domain::workspace::{Workspace, WorkspaceCommand, WorkspaceError};
use infra::event_store::{ExecuteError, Guard};
use infra::run_queue::Task;

use super::attempt::AttemptError;
use crate::operations::system_command::SystemCommand;
use crate::wiring::App;

/// `begins`: the command is not on its server yet, and is to come there.
pub(super) async fn dispatched(app: &App, task: &Task, begins: bool) -> Result<(), AttemptError> {
    let guard = begins.then(|| workspace_guard(task));
    let dispatch = vec![RunCommand::Dispatch { lease: task.lease }];
    append_guarded(app, task, "dispatch", dispatch, guard).await
}

/// Nothing begins in the grace of a deletion.
///
/// # Errors
/// `Paused`: the deletion of the workspace is requested.
pub(super) async fn may_begin(app: &App, task: &Task) -> Result<(), AttemptError> {
    let checked = app.executor.check(&[workspace_guard(task)]).await;
    checked.map(drop).map_err(|error| refused(&error))
}

fn workspace_guard(task: &Task) -> Guard {
    let workspace = task.workspace;
    Guard::new::<Workspace>(workspace.into(), workspace.0, WorkspaceCommand::BeginRun)
}

pub(super) async fn started(app: &App, task: &Task) -> Result<(), AttemptError> {
    append(app, task, "start", vec![RunCommand::Start { lease: task.lease }]).await
}

pub(super) async fn reattached(app: &App, task: &Task) -> Result<(), AttemptError> {
    app.metrics.runs_reattached.inc();
    append(app, task, "reattach", vec![RunCommand::Reattach { lease: task.lease }]).await
}

/// Appends the end and the seal of the log together: a reader that sees the end sees all of the log.
pub(super) async fn ended(
    app: &App,
    task: &Task,
    ending: Ending,
    log: Option<LogSeal>,
) -> Result<(), AttemptError> {
    let mut commands = vec![RunCommand::End { lease: task.lease, ending, left: None }];
    commands.extend(log.map(|log| RunCommand::SealLog { lease: task.lease, log }));
    append(app, task, "end", commands).await?;
    let outcome = match ending {
        Ending::Succeeded => "succeeded",
        Ending::Failed { .. } => "failed",
        Ending::TimedOut { .. } => "timed_out",
        Ending::Cancelled { .. } => "cancelled",
        Ending::Lost { .. } => "lost",
    };
    app.metrics.runs_ended.with_label_values(&[outcome]).inc();
    if matches!(ending, Ending::Lost { .. }) {
        app.metrics.runs_lost.inc();
    }
    Ok(())
}

/// The log was restored, and the command may have been started since: the attempt is lost.
pub(super) async fn lost_by_restore(
    app: &App,
    task: &Task,
    is_queued: bool,
) -> Result<(), AttemptError> {
    let lease = task.lease;
    let mut commands = vec![];
    if is_queued {
        commands.push(RunCommand::Dispatch { lease });
    }
    let ending = Ending::Lost { why: LossCause::Unknown };
    commands.push(RunCommand::End { lease, ending, left: None });
    append(app, task, "restored", commands).await?;
    app.metrics.runs_ended.with_label_values(&["lost"]).inc();
    app.metrics.runs_lost.inc();
    Ok(())
}

/// Seals the log of an attempt that stays lost.
pub(super) async fn sealed(app: &App, task: &Task, log: LogSeal) -> Result<(), AttemptError> {
    append(app, task, "seal", vec![RunCommand::SealLog { lease: task.lease, log }]).await
}

async fn append(
    app: &App,
    task: &Task,
    what: &str,
    commands: Vec<RunCommand>,
) -> Result<(), AttemptError> {
    append_guarded(app, task, what, commands, None).await
}

async fn append_guarded(
    app: &App,
    task: &Task,
    what: &str,
    commands: Vec<RunCommand>,
    guard: Option<Guard>,
) -> Result<(), AttemptError> {
    let (run, lease) = (task.run, task.lease);
    let (attempt, fence) = (lease.attempt.to_be_bytes(), lease.fence.to_be_bytes());
    let server = lease.server.0.as_bytes();
    let cause = [b"run", what.as_bytes(), run.0.as_bytes(), server, &attempt, &fence];
    let mut command = SystemCommand::new(task.workspace.into(), &cause);
    for step in commands {
        command = command.step::<Run>(run.0, step);
    }
    if let Some(guard) = guard {
        command = command.guarded_by(guard);
    }
    match command.execute(&app.executor, |_| false).await {
        Ok(Some(_)) => {
            app.run_logs.run_appended(run);
            Ok(())
        }
        Ok(None) => Err(AttemptError::Erased),
        Err(error) => Err(refused(&error)),
    }
}

fn refused(error: &ExecuteError) -> AttemptError {
    let ExecuteError::Refused(reason) = error else { return AttemptError::internal(error) };
    if let Refused::Run(RunError::Fenced | RunError::OtherAttempt | RunError::OtherServer) = reason
    {
        AttemptError::LeaseLost
    } else if let Refused::Workspace(
        WorkspaceError::DeletionRequested | WorkspaceError::Restricted,
    ) = reason
    {
        AttemptError::Paused
    } else if let Refused::Workspace(WorkspaceError::Unknown)
    | Refused::Run(RunError::NotCancelled) = reason
    {
        // Where nobody has cancelled what is marked as to be ended, its workspace is fenced, and comes to its end.
        AttemptError::Erased
    } else {
        // Another node may have appended it: the attempt loads the run again.
        AttemptError::internal(error)
    }
}
