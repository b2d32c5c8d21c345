//! Cancels what waited too long while nobody owned its workspace.

use chrono::TimeDelta;
use domain::run::{Run, RunCommand};
use domain::{AccountId, WorkspaceId};
use infra::event_store::Executor;
use infra::log::{Recorded, WorkerError};
use infra::run_queue::RunQueue;

use crate::operations::system_command::SystemCommand;

/// What was requested longer ago is not begun by itself.
const BEGUN_WITHIN: TimeDelta = TimeDelta::days(1);
const AT_ONCE: i64 = 256;

/// `event` has made `owner` an owner: what is set aside of the workspace, and was requested more than a day before, is
/// cancelled, and can be retried. Where somebody owned it before, nothing is set aside.
pub(super) async fn cancel_old(
    queue: &RunQueue,
    executor: &Executor,
    event: &Recorded,
    owner: AccountId,
) -> Result<(), WorkerError> {
    let workspace = WorkspaceId(event.stream_id());
    let (ownership, before) = (event.event_id(), event.recorded_at() - BEGUN_WITHIN);
    let mut after = None;
    loop {
        let runs = queue.paused_runs(workspace, before, after, AT_ONCE).await?;
        let Some(last) = runs.last() else { return Ok(()) };
        after = Some(*last);
        for run in runs {
            let cause: [&[u8]; 3] = [b"run.too_old", run.0.as_bytes(), ownership.0.as_bytes()];
            let command = SystemCommand::new(event.tenant(), &cause)
                .caused_by(Some(ownership))
                .step::<Run>(run.0, RunCommand::RequestCancel { by: owner });
            command.execute(executor, |_| true).await?;
        }
    }
}
