//! When a node is ready, for how long that is answered, and what is said of each part.

use domain::EventId;
use infra::log::watermark::NewestEvent;
use infra::postgres::connect_one;
use serde_json::Value;
use test_support::until;
use tokio_postgres::Client;
use uuid::Uuid;

use super::*;
use crate::workers::tests::{Harness, register};

const BEGIN: &str = "
    with live as (
      insert into readers.generations (name, version, generation, state) values ($1, $2, 1, 'live'))
    insert into readers.checkpoints (name, version, kind, generation) values ($1, $2, 'projection', 1)";
/// An event that no reader has read, a minute old.
const APPEND: &str = "
    insert into event_log.events (position, tenant_id, stream_type, stream_id, version, event_id, event_type,
      schema_version, data, subjects, recorded_at)
    values (1, gen_random_uuid(), 'operator', gen_random_uuid(), 1, gen_random_uuid(), 'operator.token_revoked', 1,
      '{}', '{}', now() - interval '1 minute')";

async fn owner(url: &infra::postgres::DatabaseUrl) -> Client {
    connect_one(url, &ConnectOptions::default()).await.unwrap()
}

/// The reader is at the beginning of the log.
async fn begin(app: &App, name: &str, version: i16) {
    let client = app.pool.get().await.unwrap();
    client.execute(BEGIN, &[&name, &version]).await.unwrap();
    let view = if version == 1 { name.to_owned() } else { format!("{name}_v{version}") };
    let table = format!("read_models.{name}_v{version}_g1");
    let create = format!(
        "create table {table} (position bigint);
        create view read_models.{view} as select * from {table}"
    );
    client.batch_execute(&create).await.unwrap();
}

async fn begin_all(app: &App) {
    for projection in projections::all() {
        begin(app, projection.name(), projection.version()).await;
    }
}

async fn is_ready(check: &ReadinessCheck) {
    until("it is ready", async || {
        let found = check.look().await;
        if found.ready { Ok(()) } else { Err(found) }
    })
    .await;
}

#[tokio::test]
async fn what_was_found_is_answered_for_a_second_and_a_worker_that_panics_makes_a_node_unready() {
    let harness = Harness::new().await;
    let app = harness.node().await;
    begin_all(&app).await;
    let check = ReadinessCheck::start(&app, &harness.databases()).await.unwrap();
    is_ready(&check).await;

    let kept = until("two answers come within a second", async || {
        check.look().await;
        let found_at = check.0.last.lock().await.found.as_ref().unwrap().0;
        app.panicked.add("probe");
        let kept = check.look().await;
        app.panicked.remove("probe");
        (found_at.elapsed() < KEPT).then_some(kept)
    })
    .await;
    assert_eq!(kept.workers, OK, "it was looked at twice");

    app.panicked.add("probe");
    let found = until("it is looked at again", async || {
        let found = check.look().await;
        (found.workers != OK).then_some(found)
    })
    .await;
    assert!(!found.ready && found.workers.contains("probe"), "{found:?}");
    app.panicked.remove("probe");
    is_ready(&check).await;
}

/// Which process last got a statement when, without that of the observer.
async fn statements(observer: &Client, without: &[i32]) -> Vec<(i32, Option<String>)> {
    let list = "select pid, query_start::text from pg_stat_activity
        where datname = current_database() and pid <> pg_backend_pid() and pid <> all ($1) order by pid";
    let rows = observer.query(list, &[&without]).await.unwrap();
    rows.iter().map(|row| (row.get(0), row.get(1))).collect()
}

#[tokio::test]
async fn a_thousand_calls_cause_no_further_statement() {
    let harness = Harness::new().await;
    let app = harness.node().await;
    begin_all(&app).await;
    let observer = owner(&harness.databases().log).await;
    let others: Vec<i32> = statements(&observer, &[]).await.iter().map(|of| of.0).collect();
    let check = ReadinessCheck::start(&app, &harness.databases()).await.unwrap();
    is_ready(&check).await;

    let (before, after) = until("they come within a second", async || {
        check.look().await;
        let before = statements(&observer, &others).await;
        for _ in 0..1000 {
            check.look().await;
        }
        let after = statements(&observer, &others).await;
        let found_at = check.0.last.lock().await.found.as_ref().unwrap().0;
        (found_at.elapsed() < KEPT).then_some((before, after))
    })
    .await;

    assert!(!before.is_empty());
    assert_eq!(before, after);
}

#[tokio::test]
async fn the_readers_of_a_node_are_its_own_versions_without_the_trail() {
    let harness = Harness::new().await;
    let app = harness.node().await;
    let readers = async || readers(app.pool.clone(), app.node, app.read_positions.clone()).await;
    let none = readers().await.unwrap_err();
    assert!(none.contains("sessions has not begun"), "{none}");
    assert!(!none.contains(AuditTrail::NAME), "{none}");

    let accounts = projections::named("accounts").unwrap();
    for other in projections::all().iter().filter(|it| it.name() != accounts.name()) {
        begin(&app, other.name(), other.version()).await;
    }
    begin(&app, accounts.name(), accounts.version() + 1).await;
    assert_eq!(readers().await.unwrap_err(), "accounts has not begun");
    begin(&app, accounts.name(), accounts.version()).await;
    assert_eq!(readers().await, Ok(()));

    let log = owner(&harness.databases().log).await;
    log.batch_execute(APPEND).await.unwrap();
    let read_on = "update readers.checkpoints set position = 1 where name <> 'sessions';
        update readers.checkpoints set last_error = 'unfit'";
    log.batch_execute(read_on).await.unwrap();
    let late = readers().await.unwrap_err();
    assert!(late.starts_with("sessions is ") && late.ends_with(" s behind: unfit"), "{late}");

    // One that says no error does not stand still without a reason.
    log.batch_execute("update readers.checkpoints set last_error = null").await.unwrap();
    let late = readers().await.unwrap_err();
    assert!(late.ends_with(" s behind: no node reads it"), "{late}");
    let other = "update readers.checkpoints set node = '00000000-0000-0000-0000-000000000007'";
    log.batch_execute(other).await.unwrap();
    let late = readers().await.unwrap_err();
    let owner = "node 00000000-0000-0000-0000-000000000007 reads it";
    assert!(late.ends_with(owner), "{late}");

    // Nothing was appended for an hour: who has read everything is not behind.
    let idle = "update readers.checkpoints
        set position = 1, last_event_at = clock_timestamp() - interval '1 hour'";
    log.batch_execute(idle).await.unwrap();
    assert_eq!(readers().await, Ok(()));
    log.batch_execute("drop table read_models.sessions_v1_g1 cascade").await.unwrap();
    let lacks = "sessions has no table: `lethe replay sessions` builds it";
    assert_eq!(readers().await.unwrap_err(), lacks);
}

#[tokio::test]
async fn a_copy_counts_for_five_minutes() {
    let harness = Harness::new().await;
    let app = harness.node().await;
    let keyring = owner(&harness.databases().keyring).await;
    for (complete_at, is_well) in [
        ("null", false),
        ("now()", true),
        ("now() - interval '2 minutes'", true),
        ("now() - interval '301 seconds'", false),
        ("now() + interval '1 hour'", false),
    ] {
        let set = format!("update keyring.copy set complete_at = {complete_at}");
        keyring.batch_execute(&set).await.unwrap();

        let found = copy(true, app.keyring_pool.clone()).await;

        assert_eq!(found.is_ok(), is_well, "{complete_at}: {found:?}");
        assert_eq!(copy(false, app.keyring_pool.clone()).await, Ok(()), "none is kept");
    }
}

#[test]
fn a_stranger_sees_no_reason_of_any_part() {
    let each = |part: &str| Readiness {
        ready: false,
        log: part.to_owned(),
        writes: part.to_owned(),
        database: part.to_owned(),
        keyring: part.to_owned(),
        roots: part.to_owned(),
        readers: part.to_owned(),
        copy: part.to_owned(),
        workers: part.to_owned(),
        clock: part.to_owned(),
    };

    for (part, word) in [("root key 1 is not in /etc", "not ok"), (OK, "ok")] {
        let shown = serde_json::to_value(each(part).without_reasons()).unwrap();
        let parts = shown.as_object().unwrap().iter().filter(|(name, _)| *name != "ready");
        let said: Vec<&Value> = parts.map(|(_, said)| said).collect();
        assert_eq!(said, [word; 9]);
    }
}

#[tokio::test]
async fn a_newest_event_that_is_not_written_down_for_ten_seconds_makes_a_node_unready() {
    let harness = Harness::new().await;
    let app = harness.node().await;
    app.watermark.begin_keeping().await.unwrap();
    let keyring = owner(&harness.databases().keyring).await;
    keyring.batch_execute("alter table keyring.watermark rename to away").await.unwrap();
    register(&app, "ada@example.org").await;
    let keeping = tokio::spawn(app.watermark.clone().keep(false));
    let trouble = until("it is not written down", async || app.watermark.trouble()).await;

    let found = log(&app);

    // A busy machine may have slept meanwhile.
    assert!(found.is_ok() || trouble.age() >= UNWRITTEN_MAX, "{found:?}");
    let why = until("that has lasted too long", async || log(&app).err()).await;
    assert!(trouble.age() >= UNWRITTEN_MAX && why.contains("not written down"), "{why}");
    keyring.batch_execute("alter table keyring.away rename to watermark").await.unwrap();
    until("it is written down", async || log(&app)).await;
    keeping.abort();
}

#[tokio::test]
async fn a_log_that_went_back_makes_a_node_unready() {
    let harness = Harness::new().await;
    let app = harness.node().await;
    assert_eq!(log(&app), Ok(()));
    let lost = NewestEvent { position: 9, event: EventId(Uuid::nil()) };
    app.watermark.watermark().raise(lost);
    app.watermark.secure().await.unwrap_err();

    assert!(log(&app).is_err());
}
