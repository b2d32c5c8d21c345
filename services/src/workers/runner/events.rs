//! The events that an attempt appends. Each is appended once: its command id is derived from the task
//! and its fence.

use domain::privacy::{Leftovers, Personal, RunLeft};
use domain::run::{
    Ending, Failure, LogSeal, LossCause, Run, RunCommand, RunError, StartCause, TaskLease,
};
use domain::workspace::{Workspace, WorkspaceCommand, WorkspaceError};
use domain::{AccountId, Refused, WorkspaceId};
use infra::event_store::{ExecuteError, Guard};
use infra::metrics::Metrics;
use infra::run_queue::Task;

use super::attempt::AttemptError;
use crate::operations::system_command::SystemCommand;
use crate::wiring::App;

/// `begins`: the command is not on its server yet, and is to come there.
pub(super) async fn dispatched(app: &App, task: &Task, begins: bool) -> Result<(), AttemptError> {
    let guard = begins.then(|| begin_guard(task.workspace, task.requester));
    let dispatch = vec![RunCommand::Dispatch { lease: task.lease }];
    append_guarded(app, task, "dispatch", dispatch, guard).await
}

/// Nothing begins in the grace of a deletion, nor for whoever may not start runs any more. Without `requester`: whether
/// anything begins.
///
/// # Errors
/// `Paused`: nothing begins in the workspace. `RequesterNotAllowed`.
pub(super) async fn may_begin(
    app: &App,
    workspace: WorkspaceId,
    requester: Option<AccountId>,
) -> Result<(), AttemptError> {
    let checked = app.executor.check(&[begin_guard(workspace, requester)]).await;
    checked.map(drop).map_err(|error| refused(&error))
}

fn begin_guard(workspace: WorkspaceId, requester: Option<AccountId>) -> Guard {
    let begins = WorkspaceCommand::BeginRun { requester };
    Guard::new::<Workspace>(workspace.into(), workspace.0, begins)
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
    left: Option<Leftovers>,
    log: Option<LogSeal>,
) -> Result<(), AttemptError> {
    let left = left.map(Personal::<RunLeft>::Clear);
    let mut commands = vec![RunCommand::End { lease: task.lease, ending, left }];
    commands.extend(log.map(|log| RunCommand::SealLog { lease: task.lease, log }));
    append(app, task, "end", commands).await?;
    count(&app.metrics, ending);
    Ok(())
}

fn count(metrics: &Metrics, ending: Ending) {
    let outcome = match ending {
        Ending::Succeeded => "succeeded",
        Ending::Failed { .. } => "failed",
        Ending::TimedOut { .. } => "timed_out",
        Ending::Cancelled { .. } => "cancelled",
        Ending::Lost { .. } => "lost",
    };
    metrics.runs_ended.with_label_values(&[outcome]).inc();
    match ending {
        Ending::Lost { .. } => metrics.runs_lost.inc(),
        Ending::TimedOut { proven: false } | Ending::Cancelled { proven: false, .. } => {
            metrics.runs_unproven.inc();
        }
        Ending::Succeeded
        | Ending::Failed { .. }
        | Ending::TimedOut { proven: true }
        | Ending::Cancelled { proven: true, .. } => {}
    }
}

/// Nothing is left of an attempt that was lost, or whose end was not proven. `ending`: how it has ended, where that was not
/// known.
pub(super) async fn gone(
    app: &App,
    task: &Task,
    ending: Option<Ending>,
    log: Option<LogSeal>,
) -> Result<(), AttemptError> {
    let lease = task.lease;
    let settles = ending.map_or(RunCommand::ProveGone { lease }, |ending| RunCommand::End {
        lease,
        ending,
        left: None,
    });
    let seals = log.map(|log| RunCommand::SealLog { lease, log });
    let commands = [settles].into_iter().chain(seals).collect();
    settled(append(app, task, "gone", commands).await)?;
    if let Some(ending) = ending {
        count(&app.metrics, ending);
    }
    Ok(())
}

/// Nothing is left of an attempt before that of the task.
pub(super) async fn earlier_gone(app: &App, task: &Task, attempt: u32) -> Result<(), AttemptError> {
    let lease = TaskLease { attempt, ..task.lease };
    let earlier = Task { lease, ..task.clone() };
    settled(append(app, &earlier, "gone", vec![RunCommand::ProveGone { lease }]).await)
}

/// Nobody looks any more for what may be left on a server that was deleted.
pub(super) async fn given_up(
    app: &App,
    task: &Task,
    commands: Vec<RunCommand>,
) -> Result<(), AttemptError> {
    if commands.is_empty() {
        return Ok(());
    }
    let is_lost = commands.iter().any(|command| matches!(command, RunCommand::End { .. }));
    settled(append(app, task, "give up", commands).await)?;
    if is_lost {
        count(&app.metrics, Ending::Lost { why: LossCause::Unreachable });
    }
    Ok(())
}

/// What is settled already is not settled again.
fn settled(appended: Result<(), AttemptError>) -> Result<(), AttemptError> {
    match appended {
        Err(AttemptError::NothingLeft) => Ok(()),
        appended => appended,
    }
}

/// The log was restored, and the command may have been started since: the attempt is lost.
pub(super) async fn lost_by_restore(
    app: &App,
    task: &Task,
    is_queued: bool,
) -> Result<(), AttemptError> {
    end_unbegun(app, task, "restored", Ending::Lost { why: LossCause::Unknown }, is_queued).await
}

/// Nothing was started, and whoever requested the attempt may not start runs any more.
pub(super) async fn requester_not_allowed(
    app: &App,
    task: &Task,
    is_queued: bool,
) -> Result<(), AttemptError> {
    let failure = Failure::NotStarted { cause: StartCause::RequesterNotAllowed };
    end_unbegun(app, task, "not allowed", Ending::Failed { failure }, is_queued).await
}

/// Ends an attempt that no node has seen to run, also one that is queued.
async fn end_unbegun(
    app: &App,
    task: &Task,
    what: &str,
    ending: Ending,
    is_queued: bool,
) -> Result<(), AttemptError> {
    let lease = task.lease;
    let mut commands = vec![];
    if is_queued {
        commands.push(RunCommand::Dispatch { lease });
    }
    commands.push(RunCommand::End { lease, ending, left: None });
    append(app, task, what, commands).await?;
    count(&app.metrics, ending);
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
    } else if let Refused::Run(RunError::NothingLeft) = reason {
        AttemptError::NothingLeft
    } else if let Refused::Workspace(
        WorkspaceError::DeletionRequested | WorkspaceError::Restricted,
    ) = reason
    {
        AttemptError::Paused
    } else if let Refused::Workspace(WorkspaceError::NotAMember | WorkspaceError::NeedsRight(_)) =
        reason
    {
        AttemptError::RequesterNotAllowed
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
