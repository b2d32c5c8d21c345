//! Deletes the secrets of runs whose request was never appended, or that ended without a node.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use domain::run::Run;
use infra::event_store::LoadError;
use infra::postgres::PgError;
use infra::run_queue::{SecretsPlace, UnusedSecrets};

use crate::wiring::App;

/// Far longer than a request takes from its secrets to its event.
const NAMED_WITHIN: Duration = Duration::from_mins(10);
const AT_ONCE: i64 = 256;
/// While a long queue waits, a sweep reads some of its secrets only, and the next one goes on.
const PAGES_MAX: usize = 40;

#[derive(Debug, thiserror::Error)]
pub enum SweepError {
    #[error(transparent)]
    Postgres(#[from] PgError),
    #[error(transparent)]
    Load(#[from] LoadError),
}

/// Where the next sweep of this node begins; `None`: at the oldest.
#[derive(Clone, Debug, Default)]
pub struct SecretsSweep(Arc<Mutex<Option<SecretsPlace>>>);

impl SecretsSweep {
    pub async fn run(self, app: App) -> Result<(), SweepError> {
        for _ in 0..PAGES_MAX {
            let after = *self.0.lock().unwrap_or_else(PoisonError::into_inner);
            let page = app.run_queue.unused_secrets(NAMED_WITHIN, AT_ONCE, after).await?;
            for unused in page.unused {
                // One run that cannot be read keeps no other's secrets.
                if let Err(error) = delete_unless_needed(&app, unused).await {
                    tracing::warn!(run = %unused.run, %error, "the secrets of a run were not swept: a later sweep tries again");
                }
            }
            *self.0.lock().unwrap_or_else(PoisonError::into_inner) = page.last;
            if page.last.is_none() {
                return Ok(());
            }
        }
        Ok(())
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
