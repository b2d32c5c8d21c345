//! One look finds the work of each timer, and wakes no other.

use std::sync::atomic::Ordering;

use futures_util::FutureExt;
use infra::keyring::SubjectKind;

use super::super::due::Due;
use super::super::timer::Wake;
use super::*;

const SEAT: &str = "insert into working.seat_leases
    (lease_id, workspace_id, account_id, fence, ttl_seconds, renewed_at, expires_at)
    select gen_random_uuid(), gen_random_uuid(), gen_random_uuid(), 1, 60, now(), now() + interval '1 hour'";
const MAIL: &str = "insert into working.outbox
    (mail_id, cause, kind, tenant_id, subject_id, address, next_at, created_at)
    select gen_random_uuid(), gen_random_uuid(), 'x', gen_random_uuid(), gen_random_uuid(), '', $1, $1";
const SENDING: &str = "update working.outbox set state = 'sending', lease_until = $1";
const SESSION: &str = "insert into working.sessions (token_hash, session_id, account_id, kind,
    opened_at, last_used_at, idle_seconds, idle_until, absolute_until)
    select sha256('x'), gen_random_uuid(), gen_random_uuid(), 'browser', $1, $1, 1, $1, $1";
const INVITATION: &str = "insert into working.invitations (invitation_id, workspace_id, until)
    select gen_random_uuid(), gen_random_uuid(), $1";
const TASK: &str = "insert into working.run_tasks
    (run_id, server_id, attempt, workspace_id, state, queued_at)
    select gen_random_uuid(), gen_random_uuid(), 1, gen_random_uuid(), 'queued', $1";
const CLAIMED: &str = "update working.run_tasks
    set state = 'running', node = gen_random_uuid(), lease_until = $1";

fn was_woken(wake: &Wake) -> bool {
    wake.notified().now_or_never().is_some()
}

/// The timers that a look wakes.
async fn woken(due: &Due, app: &App) -> Vec<&'static str> {
    due.look(app).await.unwrap();
    due.look_for_erasures(app).await.unwrap();
    let wakes = [
        ("mails", &due.mails),
        ("outbox", &due.outbox),
        ("sessions", &due.sessions),
        ("invitations", &due.invitations),
        ("runs", &due.runs),
        ("erasures", &due.erasures),
        ("monitors", &due.monitors),
    ];
    wakes.iter().filter(|(_, wake)| was_woken(wake)).map(|(name, _)| *name).collect()
}

async fn execute(app: &App, sql: &str, at: DateTime<Utc>) {
    assert_eq!(app.pool.get().await.unwrap().execute(sql, &[&at]).await.unwrap(), 1);
}

#[tokio::test]
async fn a_timer_is_woken_when_it_has_work_and_not_before() {
    let harness = Harness::new().await;
    let app = harness.node().await;
    let due = Due::default();
    let (now, later) = (app.clock.now(), app.clock.now() + TimeDelta::hours(1));
    let past = Clock::system().now() - TimeDelta::hours(1);
    let future = Clock::system().now() + TimeDelta::hours(1);
    for sql in [MAIL, SESSION, INVITATION] {
        execute(&app, sql, later).await;
    }
    execute(&app, TASK, past).await;
    execute(&app, CLAIMED, future).await;
    assert_eq!(woken(&due, &app).await, [""; 0]);

    execute(&app, MAIL, now).await;
    assert_eq!(woken(&due, &app).await, ["mails"]);
    app.pool.get().await.unwrap().execute("delete from working.outbox", &[]).await.unwrap();
    execute(&app, MAIL, later).await;
    execute(&app, SENDING, past).await;
    assert_eq!(woken(&due, &app).await, ["outbox"]);
    execute(&app, SENDING, future).await;

    execute(&app, INVITATION, now).await;
    assert_eq!(woken(&due, &app).await, ["invitations"]);
    app.pool.get().await.unwrap().execute("delete from working.invitations", &[]).await.unwrap();

    execute(&app, CLAIMED, past).await;
    assert_eq!(woken(&due, &app).await, ["runs"]);
    execute(&app, CLAIMED, future).await;
    execute(&app, TASK, past).await;
    assert_eq!(woken(&due, &app).await, ["runs"]);
    app.pool.get().await.unwrap().execute("delete from working.run_tasks", &[]).await.unwrap();

    app.pool.get().await.unwrap().execute("delete from working.sessions", &[]).await.unwrap();
    execute(&app, SESSION, now).await;
    assert_eq!(woken(&due, &app).await, ["sessions"]);
    app.pool.get().await.unwrap().execute("delete from working.sessions", &[]).await.unwrap();

    let watched = "insert into working.server_monitors (server_id, workspace_id)
        select gen_random_uuid(), gen_random_uuid()";
    app.pool.get().await.unwrap().execute(watched, &[]).await.unwrap();
    assert_eq!(woken(&due, &app).await, ["monitors"]);
    app.pool
        .get()
        .await
        .unwrap()
        .execute("delete from working.server_monitors", &[])
        .await
        .unwrap();
    due.watching.store(true, Ordering::Relaxed);
    assert_eq!(woken(&due, &app).await, ["monitors"], "this node still watches it");
    due.watching.store(false, Ordering::Relaxed);

    let subject = domain::SubjectId(app.ids.uuid());
    app.keyring.ledger.request(SubjectKind::Account, subject, now, [1; 32]).await.unwrap();
    assert_eq!(woken(&due, &app).await, ["erasures"]);
}

#[tokio::test]
async fn a_queue_of_which_nothing_could_be_taken_is_tried_again_when_it_has_changed() {
    let harness = Harness::new().await;
    let (app, due) = (harness.node().await, Due::default());
    let client = app.pool.get().await.unwrap();
    let past = Clock::system().now() - TimeDelta::hours(1);
    let future = Clock::system().now() + TimeDelta::hours(1);
    for _ in 0..2 {
        execute(&app, TASK, past).await;
        client.execute(CLAIMED, &[&future]).await.unwrap();
    }
    let lost = "update working.run_tasks set state = 'lost', next_at = now() + interval '1 day'
        where run_id = (select min(run_id::text)::uuid from working.run_tasks)";
    client.execute(lost, &[]).await.unwrap();
    execute(&app, TASK, past).await;
    assert_eq!(woken(&due, &app).await, ["runs"]);

    assert_eq!(woken(&due, &app).await, [""; 0], "as it was");

    execute(&app, TASK, Clock::system().now()).await;
    assert_eq!(woken(&due, &app).await, ["runs"], "another task waits");
    assert_eq!(woken(&due, &app).await, [""; 0]);
    for (state, freed) in [("running", "its run has ended"), ("lost", "it is searched for no more")]
    {
        let end = format!("delete from working.run_tasks where state = '{state}'");
        client.execute(&end, &[]).await.unwrap();
        assert_eq!(woken(&due, &app).await, ["runs"], "{freed}");
        assert_eq!(woken(&due, &app).await, [""; 0]);
    }
    client.execute("update working.run_tasks set cancel = true", &[]).await.unwrap();
    assert_eq!(woken(&due, &app).await, ["runs"], "they are cancelled");
}

#[tokio::test]
async fn the_reaper_is_woken_at_the_moment_when_a_seat_lease_ends() {
    let harness = Harness::new().await;
    let app = harness.node().await;
    let due = Due::default();
    let client = app.pool.get().await.unwrap();
    client.execute(SEAT, &[]).await.unwrap();
    due.look(&app).await.unwrap();
    tokio::task::yield_now().await;
    assert!(!was_woken(&due.seats));

    let soon = "update working.seat_leases set expires_at = clock_timestamp() + interval '300 ms'";
    client.execute(soon, &[]).await.unwrap();
    due.look(&app).await.unwrap();
    tokio::time::timeout(Duration::from_secs(20), due.seats.notified()).await.unwrap();

    let is_over = "select expires_at <= clock_timestamp() from working.seat_leases";
    assert!(client.query_one(is_over, &[]).await.unwrap().get::<_, bool>(0));
}

/// A plan for any time expects that much is due.
#[tokio::test]
async fn no_look_reads_the_sessions_and_the_mails_of_which_none_is_due() {
    let harness = Harness::new().await;
    let admin = connect_one(&harness.databases.log_url, &ConnectOptions::default()).await.unwrap();
    let fill = "
        insert into working.sessions (token_hash, session_id, account_id, kind, opened_at, last_used_at,
          idle_seconds, idle_until, absolute_until)
        select sha256(int8send(n)), gen_random_uuid(), gen_random_uuid(), 'browser', now(), now(), 60,
          now() + interval '1 day', now() + interval '1 day'
        from generate_series(1, 3000) n;
        insert into working.outbox (mail_id, cause, kind, tenant_id, subject_id, address, state, next_at,
          created_at, finished_at)
        select gen_random_uuid(), gen_random_uuid(), 'verify_email', gen_random_uuid(), gen_random_uuid(),
          '', 'sent', now(), now(), now()
        from generate_series(1, 3000);
        analyze working.sessions, working.outbox;
        set plan_cache_mode = force_generic_plan;
        begin";
    admin.batch_execute(fill).await.unwrap();
    let now = Clock::system().now();

    let due = include_str!("../due.sql");
    let due = admin.query_one(due, &[&now, &(now - TimeDelta::days(30))]).await.unwrap();

    assert!(!due.get::<_, bool>("sessions") && !due.get::<_, bool>("outbox"));
    let read = "select sum(seq_tup_read)::bigint from pg_stat_xact_user_tables
        where schemaname = 'working' and relname in ('sessions', 'outbox')";
    assert_eq!(admin.query_one(read, &[]).await.unwrap().get::<_, i64>(0), 0);
}
