//! Frees what is held for an attempt that nobody looks for any more.

use domain::run::{Run, RunCommand, Target, TaskLease};
use domain::{RunId, ServerId, WorkspaceId};
use infra::keyring::OpenError;
use infra::log::{Recorded, WorkerError};
use infra::postgres::Transaction;
use infra::run_log::{LogKey, RunLogError};

use super::RunDispatcher;
use super::attempt::seal;
use crate::operations::system_command::SystemCommand;

impl RunDispatcher {
    /// The log of the attempt ends with what was read of it. Its task is deleted: another run of its deployment may begin.
    pub(super) async fn free_given_up(
        &self,
        event: &Recorded,
        tx: &Transaction<'_>,
        (server, attempt): (ServerId, u32),
    ) -> Result<(), WorkerError> {
        let state = self.run(event).await?;
        let target = state.requested().and_then(|run| run.targets.get(&server));
        if let Some(target) = target
            && target.attempt == attempt
            && target.is_ended()
            && target.log.is_none()
        {
            self.seal_log(event, server, target).await?;
        }
        self.queue.give_up(tx, RunId(event.stream_id()), server, attempt).await?;
        self.wake.notify_one();
        Ok(())
    }

    async fn seal_log(
        &self,
        event: &Recorded,
        server: ServerId,
        target: &Target,
    ) -> Result<(), WorkerError> {
        let (run, attempt) = (RunId(event.stream_id()), target.attempt);
        let workspace = WorkspaceId(event.tenant().0);
        let summary = match self.run_logs.seal(&LogKey { workspace, run, server, attempt }).await {
            Ok(summary) => summary,
            Err(RunLogError::Database(error)) => return Err(error.into()),
            Err(RunLogError::Open(OpenError::Unavailable(error))) => {
                return Err(WorkerError::Unavailable(error.to_string()));
            }
            Err(error) => {
                tracing::warn!(%run, %server, %error, "the log of a run that was given up is not sealed: it cannot be read");
                return Ok(());
            }
        };
        let mut log = seal(&summary);
        log.truncated = true;
        let lease = TaskLease { server, attempt, fence: target.fence };
        let (id, number) = (event.event_id(), attempt.to_be_bytes());
        let cause: [&[u8]; 4] =
            [b"run.seal given up", run.0.as_bytes(), server.0.as_bytes(), &number];
        let command = SystemCommand::new(event.tenant(), &cause)
            .caused_by(Some(id))
            .step::<Run>(run.0, RunCommand::SealLog { lease, log });
        command.execute(&self.executor, |_| true).await?;
        Ok(())
    }
}
