//! Deletes the secrets of runs whose request was never appended, or that ended without a node.

use std::time::Duration;

use domain::run::Run;
use infra::event_store::LoadError;
use infra::postgres::PgError;
use infra::run_queue::UnusedSecrets;

use crate::wiring::App;

/// Far longer than a request takes from its secrets to its event.
const NAMED_WITHIN: Duration = Duration::from_mins(10);
const AT_ONCE: i64 = 256;

#[derive(Debug, thiserror::Error)]
pub enum SweepError {
    #[error(transparent)]
    Postgres(#[from] PgError),
    #[error(transparent)]
    Load(#[from] LoadError),
}

pub async fn sweep_secrets(app: App) -> Result<(), SweepError> {
    let mut last = None;
    loop {
        let page = app.run_queue.unused_secrets(NAMED_WITHIN, AT_ONCE, last).await?;
        last = page.last().copied();
        if last.is_none() {
            return Ok(());
        }
        for unused in page {
            // One run that cannot be read keeps no other's secrets.
            if let Err(error) = delete_unless_needed(&app, unused).await {
                tracing::warn!(run = %unused.run, %error, "the secrets of a run were not swept: the next sweep tries again");
            }
        }
    }
}

async fn delete_unless_needed(app: &App, unused: UnusedSecrets) -> Result<(), SweepError> {
    let run = app.executor.load::<Run>(unused.workspace.into(), unused.run.0).await?;
    let needed = run.state.requested().is_some_and(|run| {
        let open = run.targets.values().any(|target| !target.is_ended());
        open && run.secrets == Some(unused.secrets)
    });
    if !needed {
        app.run_queue.delete_secrets(unused.secrets, unused.written_at).await?;
    }
    Ok(())
}
