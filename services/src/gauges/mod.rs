//! Refreshes gauges every few seconds: pools, clocks, readers, keys, erasures, mails, seats, runs, watches.

mod readers;

use std::collections::BTreeSet;
use std::fmt::Display;
use std::time::Duration;

use chrono::TimeDelta;
use domain::privacy::deadlines::OVERDUE_AFTER;
use infra::credentials::HashQueue;
use infra::keyring::{HeldRoot, KeyringError, RootHold};
use infra::postgres::{PgError, Pool};
use infra::reservations::{MoveProgress, UNREADABLE};
use infra::supervise;
use projections::workspaces::count_restricted;
use tokio::task::JoinHandle;

use crate::operations::waiting_erasures::WaitingErasures;
use crate::wiring::App;

const COUNT_ROWS: &str = include_str!("count_rows.sql");
const EVERY: Duration = Duration::from_secs(10);
/// Every how many turns it is asked what holds old root keys, which are kept for a day, and how large the log is.
const SELDOM_EACH: u64 = 6;
/// The files of an escrow are deleted each minute.
const ESCROW_LATE: TimeDelta = TimeDelta::hours(1);
const RUN_STATES: [&str; 3] = ["queued", "running", "lost"];
const MAIL_STATES: [&str; 5] = ["queued", "sending", "sent", "failed", "unknown"];

/// Runs until it is aborted.
pub fn start(app: App) -> JoinHandle<()> {
    let refreshing = async move {
        let mut ticks = tokio::time::interval(EVERY);
        let mut rounds = Rounds::default();
        loop {
            ticks.tick().await;
            refresh(&app, &mut rounds).await;
        }
    };
    supervise::spawn("gauges", refreshing)
}

/// What a round leaves to the next one.
#[derive(Debug, Default)]
pub struct Rounds {
    count: u64,
    /// Whether the clocks were wrong.
    clock_fault: bool,
    /// The readers that were shown, by name and version.
    readers: BTreeSet<(String, String)>,
    /// Those whose generations were shown.
    generations: BTreeSet<(String, String)>,
}

/// One round. Logs what was not refreshed.
pub async fn refresh(app: &App, rounds: &mut Rounds) {
    pools(app);
    log_error("the clock", clock(app, &mut rounds.clock_fault).await);
    log(app);
    let (metrics, pool) = (&app.metrics, &app.pool);
    log_error("readers", readers::positions(metrics, pool, &mut rounds.readers).await);
    let generations = readers::generations(metrics, pool, &mut rounds.generations).await;
    log_error("generations", generations);
    log_error("keys", keys(app).await);
    if rounds.count.is_multiple_of(SELDOM_EACH) {
        log_error("old root keys", held_roots(app).await);
        log_error("the size of the log", readers::log_bytes(metrics, pool).await);
    }
    rounds.count += 1;
    log_error("mails, seats, runs, watches and addresses", rows(app).await);
    log_error("restricted workspaces", restricted_workspaces(app).await);
}

fn pools(app: &App) {
    pool(app, "events", &app.pool);
    pool(app, "keyring", &app.keyring_pool);
    for queue in HashQueue::ALL {
        let waiting = i64::try_from(app.credentials.waiting(*queue)).unwrap_or(i64::MAX);
        app.metrics.argon2_waiting.with_label_values(&[queue.as_str()]).set(waiting);
    }
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

/// Compares the clocks; `is_wrong` is whether they were wrong at the last turn.
async fn clock(app: &App, is_wrong: &mut bool) -> Result<(), PgError> {
    app.clock.compare(&app.pool).await?;
    let skew = app.clock.skew();
    for (clock, skew) in [("system", skew.system), ("database", skew.database)] {
        app.metrics.clock_skew_seconds.with_label_values(&[clock]).set(skew.as_seconds_f64());
    }
    match skew.fault() {
        Some(fault) if !*is_wrong => tracing::error!(fault, "a clock is wrong, and not used"),
        None if *is_wrong => tracing::info!("the clocks are right again"),
        Some(_) | None => {}
    }
    *is_wrong = skew.fault().is_some();
    Ok(())
}

fn log_error<E: Display>(what: &str, result: Result<(), E>) {
    if let Err(error) = result {
        tracing::warn!(what, %error, "gauges were not refreshed");
    }
}

fn log(app: &App) {
    let metrics = &app.metrics;
    metrics.log_position.set(*app.executor.appended().borrow());
    metrics.log_restores.set(app.watermark.restores());
    let trouble = app.watermark.trouble().map(|trouble| trouble.age().as_secs_f64());
    metrics.log_unwritten_seconds.set(trouble.unwrap_or_default());
}

async fn keys(app: &App) -> Result<(), KeyringError> {
    let (metrics, now) = (&app.metrics, app.clock.now());
    metrics.roots_unusable.set(i64::from(app.keyring.roots_usable().is_err()));
    metrics.roots_unreached.set(i64::from(app.keyring.roots_reached().is_err()));
    let trouble = app.keyring.lease_trouble().map(|trouble| trouble.age().as_secs_f64());
    metrics.lease_lost_seconds.set(trouble.unwrap_or_default());
    let keys = app.keyring.status().await?;
    metrics.keys.with_label_values(&["live"]).set(keys.live);
    metrics.keys.with_label_values(&["destroyed"]).set(keys.erased);
    metrics.keys_under_roots.set(keys.under_roots);
    metrics.shard_keys.with_label_values(&["live"]).set(keys.live_shards);
    metrics.shard_keys.with_label_values(&["tainted"]).set(keys.tainted_shards);
    metrics.root_age_seconds.set((now - keys.root_since).as_seconds_f64());
    if app.keyring.copy.is_some() {
        metrics.copy_age_seconds.set(keys.copy_seconds.unwrap_or(f64::INFINITY));
    }
    let open = app.keyring.ledger.open().await?;
    let age = open.oldest.map(|oldest| now - oldest).unwrap_or_default();
    metrics.erasures_open.set(open.count);
    let unproven = app.keyring.ledger.oldest_unproven().await?;
    let unproven = unproven.map_or(0.0, |since| (now - since).as_seconds_f64());
    metrics.erasure_unproven_seconds.set(unproven);
    metrics.erasure_oldest_seconds.set(age.as_seconds_f64());
    metrics.erasures_overdue.set(open.overdue);
    let waiting = WaitingErasures::count(&app.keyring.ledger, &app.outbox, now).await?;
    metrics.erasures_waiting.with_label_values(&["mails"]).set(waiting.mails);
    metrics.erasures_waiting.with_label_values(&["other"]).set(waiting.other);
    if age >= OVERDUE_AFTER {
        tracing::error!(
            days = age.num_days(),
            "an erasure is overdue: the GDPR allows one month, and the eraser has not completed it"
        );
    }
    Ok(())
}

async fn held_roots(app: &App) -> Result<(), KeyringError> {
    let rotation = &app.keyring.root_rotation;
    let late = app.clock.now() - ESCROW_LATE;
    let overdue = rotation.escrowed().await?.iter().filter(|root| root.until < late).count();
    app.metrics.escrows_overdue.set(i64::try_from(overdue).unwrap_or(i64::MAX));
    let held = rotation.held().await?;
    for name in RootHold::NAMES {
        let is_held = |held: &&HeldRoot| held.holds.iter().any(|hold| hold.as_str() == *name);
        let count = i64::try_from(held.iter().filter(is_held).count()).unwrap_or(i64::MAX);
        app.metrics.roots_held.with_label_values(&[name]).set(count);
    }
    let usable = rotation.check_escrow().await;
    app.metrics.escrow_unusable.set(i64::from(usable.is_err()));
    usable
}

/// Mails, seats, runs, watches and addresses.
async fn rows(app: &App) -> Result<(), PgError> {
    let client = app.pool.get().await?;
    let count = client.prepare_cached(COUNT_ROWS).await?;
    let row = client.query_one(&count, &[&UNREADABLE]).await?;
    drop(client);
    let metrics = &app.metrics;
    for state in MAIL_STATES {
        let mails = row.try_get(format!("mails_{state}").as_str())?;
        metrics.mails.with_label_values(&[state]).set(mails);
    }
    for state in RUN_STATES {
        let tasks = row.try_get(format!("runs_{state}").as_str())?;
        metrics.runs.with_label_values(&[state]).set(tasks);
    }
    metrics.run_queue_age_seconds.set(row.try_get("run_queue_seconds")?);
    metrics.run_kills_waiting.set(row.try_get("run_kills_waiting")?);
    metrics.run_leftovers.set(row.try_get("run_leftovers")?);
    metrics.seat_leases.set(row.try_get("seat_leases")?);
    metrics.watches_stopped.set(row.try_get("watches_stopped")?);
    metrics.addresses_unreadable.set(row.try_get("addresses_unreadable")?);
    let moved: (Option<Vec<u8>>, Option<bool>) =
        (row.try_get("through")?, row.try_get("is_complete")?);
    let moved = moved.0.zip(moved.1);
    let moved =
        moved.map_or(1.0, |(through, is_complete)| MoveProgress { through, is_complete }.ratio());
    metrics.email_index_moved.set(moved);
    Ok(())
}

async fn restricted_workspaces(app: &App) -> Result<(), PgError> {
    // What it was before, until there is a table: the alert does not begin anew.
    if let Some(restricted) = count_restricted(&app.pool).await? {
        app.metrics.workspaces_restricted.set(restricted);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use domain::SubjectId;
    use infra::keyring::SubjectKind;

    use super::*;
    use crate::workers::tests::Harness;

    const FILL: &str = "
        insert into working.outbox
          (mail_id, cause, kind, tenant_id, subject_id, address, state, next_at, created_at)
        select gen_random_uuid(), gen_random_uuid(), 'x', gen_random_uuid(), gen_random_uuid(), '', 'queued', now(),
          now()
        from generate_series(1, 3);
        insert into working.run_tasks (run_id, server_id, attempt, workspace_id, state, queued_at)
        select gen_random_uuid(), gen_random_uuid(), 1, gen_random_uuid(), 'queued', now() - interval '1 hour';
        insert into working.run_tasks (run_id, server_id, attempt, workspace_id, state, queued_at, next_at, kill_tries)
        select gen_random_uuid(), gen_random_uuid(), 1, gen_random_uuid(), 'lost', now(), now() + interval '1 hour',
          tries
        from generate_series(0, 2) tries;
        insert into working.run_leftovers (run_id, server_id, attempt, workspace_id, next_at)
        select gen_random_uuid(), gen_random_uuid(), 1, gen_random_uuid(), now() from generate_series(1, 2);
        insert into working.seat_leases
          (lease_id, workspace_id, account_id, fence, ttl_seconds, renewed_at, expires_at)
        select gen_random_uuid(), gen_random_uuid(), gen_random_uuid(), 1, 60, now(), now() + live * interval '1 hour'
        from unnest(array[1, 1, -1]) live;
        insert into working.server_monitors (server_id, workspace_id, stopped_at)
        select gen_random_uuid(), gen_random_uuid(), stopped_at from unnest(array[now(), now(), null]) stopped_at";

    #[tokio::test]
    async fn one_statement_counts_mails_runs_live_seats_and_stopped_watches() {
        let harness = Harness::new().await;
        let app = harness.node().await;
        app.pool.get().await.unwrap().batch_execute(FILL).await.unwrap();

        rows(&app).await.unwrap();

        let text = String::from_utf8(app.metrics.text().unwrap()).unwrap();
        for line in [
            "lethe_mail_outbox{state=\"queued\"} 3",
            "lethe_mail_outbox{state=\"sent\"} 0",
            "lethe_runs{state=\"queued\"} 1",
            "lethe_runs{state=\"lost\"} 0",
            "lethe_run_kills_waiting 2",
            "lethe_run_leftovers 2",
            "lethe_seat_leases 2",
            "lethe_watches_stopped 2",
            "lethe_addresses_unreadable 0",
            "lethe_email_index_moved_ratio 1",
        ] {
            assert!(text.lines().any(|found| found == line), "{line} is not in {text}");
        }
        assert!(app.metrics.run_queue_age_seconds.get() > 3599.0);
    }

    #[tokio::test]
    async fn the_erasures_on_their_29th_day_are_counted() {
        let harness = Harness::new().await;
        let app = harness.node().await;
        let request = async |code: u8| {
            let (subject, due) = (SubjectId(app.ids.uuid()), app.clock.now() + TimeDelta::days(7));
            let kind = SubjectKind::Account;
            app.keyring.ledger.request(kind, subject, due, [code; 32]).await.unwrap();
        };
        request(1).await;
        request(2).await;
        harness.clock.advance(OVERDUE_AFTER);
        request(3).await;

        keys(&app).await.unwrap();

        let (open, overdue) = (app.metrics.erasures_open.get(), app.metrics.erasures_overdue.get());
        assert_eq!((open, overdue), (3, 2));
    }
}
