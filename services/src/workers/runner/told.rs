//! What an attempt appends to the log: each event once, under its fence.

use domain::run::{Ending, LogSeal, Run, RunCommand, RunError};
use domain::{CommandId, Refused};
use infra::event_store::{ExecuteError, Request, Step};
use infra::ids::hashed;
use infra::run_queue::Task;

use super::attempt::Halt;
use crate::wiring::App;

pub(super) async fn dispatched(app: &App, task: &Task) -> Result<(), Halt> {
    tell(app, task, "dispatch", vec![RunCommand::Dispatch { lease: task.lease }]).await
}

pub(super) async fn started(app: &App, task: &Task) -> Result<(), Halt> {
    tell(app, task, "start", vec![RunCommand::Start { lease: task.lease }]).await
}

pub(super) async fn reattached(app: &App, task: &Task) -> Result<(), Halt> {
    app.metrics.runs_reattached.inc();
    tell(app, task, "reattach", vec![RunCommand::Reattach { lease: task.lease }]).await
}

/// With its log, in one append: whoever sees the end sees all of the log.
pub(super) async fn ended(
    app: &App,
    task: &Task,
    ending: Ending,
    log: Option<LogSeal>,
) -> Result<(), Halt> {
    let mut commands = vec![RunCommand::End { lease: task.lease, ending }];
    commands.extend(log.map(|log| RunCommand::SealLog { lease: task.lease, log }));
    tell(app, task, "end", commands).await?;
    let outcome = match ending {
        Ending::Succeeded => "succeeded",
        Ending::Failed { .. } => "failed",
        Ending::TimedOut => "timed_out",
        Ending::Cancelled { .. } => "cancelled",
        Ending::Lost => "lost",
    };
    app.metrics.runs_ended.with_label_values(&[outcome]).inc();
    if ending == Ending::Lost {
        app.metrics.runs_lost.inc();
    }
    Ok(())
}

/// The log of an attempt that stays lost.
pub(super) async fn sealed(app: &App, task: &Task, log: LogSeal) -> Result<(), Halt> {
    tell(app, task, "seal", vec![RunCommand::SealLog { lease: task.lease, log }]).await
}

async fn tell(app: &App, task: &Task, what: &str, commands: Vec<RunCommand>) -> Result<(), Halt> {
    let (run, lease) = (task.run, task.lease);
    let (attempt, fence) = (lease.attempt.to_be_bytes(), lease.fence.to_be_bytes());
    let server = lease.server.0.as_bytes();
    let parts = [b"run", what.as_bytes(), run.0.as_bytes(), server, &attempt, &fence];
    let request = Request::new(task.workspace.into(), CommandId(hashed(&parts)));
    let steps = commands.into_iter().map(|command| Step::new::<Run>(run.0, command));
    let steps: Vec<Step> = steps.collect();
    match app.executor.execute(&request, &steps).await {
        Ok(_) => Ok(()),
        Err(ExecuteError::Fenced) => Err(Halt::Erased),
        Err(ExecuteError::Refused(Refused::Run(
            RunError::Fenced | RunError::OtherAttempt | RunError::OtherServer,
        ))) => Err(Halt::Gone),
        // Also when somebody else has told of it meanwhile: the attempt looks again.
        Err(error) => Err(Halt::ours(&error)),
    }
}
