//! Gauges of the pools and of the readers, asked for every few seconds.

use std::time::Duration;

use infra::log::status;
use infra::postgres::Pool;
use tokio::task::AbortHandle;

use crate::wiring::App;

const EVERY: Duration = Duration::from_secs(5);

/// Runs until it is aborted.
pub fn start(app: App) -> AbortHandle {
    let refreshing = async move {
        let mut ticks = tokio::time::interval(EVERY);
        loop {
            ticks.tick().await;
            pools(&app);
            readers(&app).await;
        }
    };
    tokio::spawn(refreshing).abort_handle()
}

fn pools(app: &App) {
    pool(app, "events", &app.pool);
    pool(app, "keyring", &app.keyring_pool);
    let waiting = i64::try_from(app.credentials.waiting()).unwrap_or(i64::MAX);
    app.metrics.argon2_waiting.set(waiting);
}

fn pool(app: &App, name: &str, pool: &Pool) {
    let status = pool.status();
    let metrics = &app.metrics;
    for (family, count) in [
        (&metrics.pool_connections, status.size),
        (&metrics.pool_available, status.available),
        (&metrics.pool_waiting, status.waiting),
    ] {
        family.with_label_values(&[name]).set(i64::try_from(count).unwrap_or(i64::MAX));
    }
}

async fn readers(app: &App) {
    let metrics = &app.metrics;
    metrics.log_position.set(*app.executor.appended().borrow());
    let readers = match status(&app.pool).await {
        Ok(readers) => readers,
        Err(error) => {
            tracing::warn!(%error, "the readers' gauges were not refreshed");
            return;
        }
    };
    for reader in readers {
        metrics.log_position.set(reader.head);
        let name = [reader.name.as_str()];
        metrics.reader_position.with_label_values(&name).set(reader.position);
        metrics.reader_lag_events.with_label_values(&name).set(reader.lag_events);
        metrics.reader_lag_seconds.with_label_values(&name).set(reader.lag_seconds);
        metrics.parked_streams.with_label_values(&name).set(reader.parked);
    }
}
