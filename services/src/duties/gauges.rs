//! Gauges of what is under way: erasures, keys, mails.

use chrono::TimeDelta;
use infra::keyring::KeyringError;
use infra::postgres::PgError;

use crate::wiring::App;

/// An alarm is raised with the 29th day: the law leaves thirty.
const ALARM: TimeDelta = TimeDelta::days(28);
const COUNTED_MAX: i64 = 1000;
const MAIL_STATES: [&str; 5] = ["queued", "sending", "sent", "failed", "unknown"];

#[derive(Debug, thiserror::Error)]
pub(super) enum GaugesError {
    #[error(transparent)]
    Keyring(#[from] KeyringError),
    #[error(transparent)]
    Postgres(#[from] PgError),
}

pub(super) async fn measure(app: App) -> Result<(), GaugesError> {
    let counted = app.outbox.count().await?;
    for state in MAIL_STATES {
        let count = counted.iter().find(|(counted, _)| counted == state).map_or(0, |of| of.1);
        app.metrics.mails.with_label_values(&[state]).set(count);
    }
    measure_erasures(&app).await?;
    let keys = app.keyring.status().await?;
    app.metrics.keys.with_label_values(&["live"]).set(keys.live);
    app.metrics.keys.with_label_values(&["destroyed"]).set(keys.destroyed);
    let age = app.clock.now() - keys.root_since;
    app.metrics.root_age_seconds.set(age.as_seconds_f64());
    Ok(())
}

async fn measure_erasures(app: &App) -> Result<(), KeyringError> {
    let (open, now) = (app.keyring.ledger_open().await?, app.clock.now());
    let age = open.oldest.map(|oldest| now - oldest).unwrap_or_default();
    app.metrics.erasures_open.set(open.count);
    app.metrics.erasure_oldest_seconds.set(age.as_seconds_f64());
    let mut overdue = 0;
    if age >= ALARM {
        let due = app.keyring.ledger_due(now, COUNTED_MAX).await?;
        overdue = due.iter().filter(|entry| now - entry.requested_at >= ALARM).count();
        tracing::error!(overdue, "erasures must be complete within thirty days");
    }
    app.metrics.erasures_overdue.set(i64::try_from(overdue).unwrap_or(i64::MAX));
    Ok(())
}
