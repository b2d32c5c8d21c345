//! A subcommand that works on the databases, of a Lethe that runs or of none.

use std::sync::Arc;
use std::time::Duration;

use infra::metrics::Metrics;

use super::CliError;
use crate::config::Config;
use crate::databases::Databases;
use crate::wiring::{App, Creation};

const DRAIN: Duration = Duration::from_secs(10);

/// Does the work on databases that have the schema of this programme: nothing is migrated. A log that is
/// not the one that the nodes of the keyring know is refused, and they do not hear of it: it may be another
/// one than theirs.
pub async fn with_app<T>(
    config: Arc<Config>,
    work: impl AsyncFnOnce(&App) -> Result<T, CliError>,
) -> Result<T, CliError> {
    let databases = Databases::existing(&config).await?;
    let done = on(config, &databases, work).await;
    databases.close().await;
    done
}

async fn on<T>(
    config: Arc<Config>,
    databases: &Databases,
    work: impl AsyncFnOnce(&App) -> Result<T, CliError>,
) -> Result<T, CliError> {
    databases.check_schema().await?;
    let public_url = config.public_url_at(config.listen);
    let app =
        App::start(config, databases, Arc::new(Metrics::new()?), &public_url, Creation::Nothing)
            .await?;
    let done = work(&app).await;
    app.executor.drain(DRAIN).await;
    done
}
