//! What becomes of an attempt that is given up.

use domain::run::{LogSeal, Run, RunCommand, RunError, TaskLease};
use domain::{Refused, RunId, ServerId, WorkspaceId};
use infra::keyring::OpenError;
use infra::log::{Recorded, WorkerError};
use infra::run_log::{LogKey, RunLogError};

use crate::operations::system_command::SystemCommand;
use crate::wiring::App;

/// Its task is deleted, so that its deployment is free. Nobody reads what it prints any more: its log, where it is not
/// sealed, ends with what is stored. It may be done again.
pub(super) async fn settle(
    app: &App,
    event: &Recorded,
    (server, attempt): (ServerId, u32),
) -> Result<(), WorkerError> {
    let (workspace, run) = (WorkspaceId(event.tenant().0), RunId(event.stream_id()));
    // Not in the reader's transaction, which may fail after this: no node writes to the log once it is sealed.
    app.run_queue.give_up(run, server, attempt).await?;
    let loaded = app.executor.load::<Run>(event.tenant(), run.0).await?;
    let target = loaded.state.requested().and_then(|run| run.targets.get(&server));
    let open = target.filter(|target| target.attempt == attempt && target.log.is_none());
    // The log of an attempt that another one followed is not sealed.
    let Some(target) = open else { return Ok(()) };
    let key = LogKey { workspace, run, server, attempt };
    let Some(log) = stored_log(app, &key).await? else { return Ok(()) };
    let (id, lease) = (event.event_id(), TaskLease { server, attempt, fence: target.fence });
    let cause: [&[u8]; 2] = [b"run.given_up", id.0.as_bytes()];
    let command = SystemCommand::new(event.tenant(), &cause)
        .caused_by(Some(id))
        .step::<Run>(run.0, RunCommand::SealLog { lease, log });
    command.execute(&app.executor, is_sealed).await?;
    app.run_logs.run_appended(run);
    Ok(())
}

/// By now, or there is a later attempt.
fn is_sealed(refused: &Refused) -> bool {
    matches!(refused, Refused::Run(RunError::Sealed | RunError::OtherAttempt))
}

/// `None`: its workspace is erased, or it cannot be read any more.
async fn stored_log(app: &App, key: &LogKey) -> Result<Option<LogSeal>, WorkerError> {
    match app.run_logs.seal(key).await {
        Ok(summary) => {
            app.metrics.run_log_bytes.inc_by(summary.bytes);
            Ok(Some(LogSeal { truncated: true, ..LogSeal::from(summary) }))
        }
        Err(RunLogError::Open(OpenError::Erased)) => Ok(None),
        Err(error @ (RunLogError::Database(_) | RunLogError::Open(OpenError::Unavailable(_)))) => {
            Err(WorkerError::Unavailable(error.to_string()))
        }
        Err(error) => {
            tracing::error!(run = %key.run, %error, "the log of a run that was given up cannot be read: it is not sealed");
            Ok(None)
        }
    }
}
