//! The audit trail: what finds an event by its time, and its two versions during an upgrade.

use std::time::Duration;

use crate::harness::{LogHarness, options, time};
use crate::mixed;
use chrono::{DateTime, TimeDelta, Utc};
use domain::ActorId;
use infra::log::{
    FeedError, Origin, Poison, Projection, Reader, Recorded, delete_superseded, parked, release,
    status,
};
use infra::postgres::{ConnectOptions, TimeOrder, connect};
use projections::audit_trail::{AuditTrail, Filter, of_actor, page};
use uuid::Uuid;

const FIND: &str =
    concat!(include_str!("../../src/audit_trail/find.sql"), "order by position limit 201");
const FIND_EDGE: &str = include_str!("../../src/audit_trail/find_edge.sql");
const ROWS: i64 = 200_000;
const DAY: Duration = Duration::from_hours(24);

/// As the version before this one: a table of its own.
struct Older;

infra::row! {
    pub struct OlderEntry {
        pub position: i64,
    }
}

impl Projection for Older {
    const NAME: &'static str = "audit_trail";
    const VERSION: i16 = 1;
    const EVENT_TYPES: &'static [&'static str] = &[];
    const TABLE: &'static str = "create table {table} (position bigint not null primary key)";
    const INDEXES: &'static str = "";
    const APPEND_ONLY: bool = true;
    const TAKES_UNKNOWN: bool = true;
    type Key = i64;
    type Row = OlderEntry;

    fn key(event: &Recorded) -> i64 {
        event.position()
    }

    fn origin(row: &OlderEntry) -> Origin {
        Origin::Position(row.position)
    }

    fn fold(row: &mut Option<OlderEntry>, event: &Recorded) -> Result<(), Poison> {
        *row = Some(OlderEntry { position: event.position() });
        Ok(())
    }
}

/// Events at these seconds, one of them a line.
async fn record_at(harness: &LogHarness, seconds: &[i64]) {
    let times: Vec<DateTime<Utc>> = seconds.iter().map(|at| time(*at)).collect();
    let insert = "insert into event_log.events (position, tenant_id, stream_type, stream_id, version,
          event_id, event_type, schema_version, data, subjects, recorded_at)
        select at, gen_random_uuid(), 'tally', gen_random_uuid(), 1, gen_random_uuid(), 'tally.added', 1,
          '{}', '{}', recorded_at
        from unnest($1::timestamptz[]) with ordinality of (recorded_at, at)";
    harness.admin.execute(insert, &[&times]).await.unwrap();
    for _ in seconds {
        harness.skip_a_position();
    }
}

async fn positions(harness: &LogHarness, filter: Filter) -> Vec<i64> {
    let events = page(&harness.pool, &filter, (TimeOrder::Oldest, None), 200).await.unwrap();
    events.iter().map(Recorded::position).collect()
}

#[tokio::test]
async fn events_are_found_by_their_time_also_where_a_clock_was_set_back() {
    let harness = LogHarness::new().await;
    // The clock was ahead at the positions 4 and 5, and behind at 9.
    let seconds = [10, 20, 30, 95, 96, 40, 50, 60, 5, 70, 80, 90];
    record_at(&harness, &seconds).await;
    let readers = harness.read(vec![Reader::projection::<AuditTrail>()]).await;
    harness.caught_up(&["audit_trail"]).await;

    for since in 0..=100 {
        for until in [5, 6, 35, 75, 95, 96, 97, 200] {
            let (since, until) = (time(since), time(until));
            let filter = Filter { since: Some(since), until: Some(until), ..Filter::default() };
            let found = positions(&harness, filter).await;
            let wanted = (1..).zip(seconds).filter(|(_, at)| (since..until).contains(&time(*at)));
            let wanted: Vec<i64> = wanted.map(|(at, _)| at).collect();
            assert_eq!(found, wanted, "{since} {until}");
            let filter = Filter { since: Some(since), until: Some(until), ..Filter::default() };
            let last = page(&harness.pool, &filter, (TimeOrder::Newest, None), 3).await.unwrap();
            let last: Vec<i64> = last.iter().map(Recorded::position).collect();
            let wanted: Vec<i64> = wanted.into_iter().rev().take(3).collect();
            assert_eq!(last, wanted, "the newest of {since} {until}");
        }
    }
    readers.stop().await;
}

/// Each event is by the actor of its stream's name.
#[tokio::test]
async fn what_an_actor_did_is_whole_while_the_trail_has_parked_a_stream() {
    let harness = LogHarness::new().await;
    let (ada, bob) = (Uuid::from_u128(0xada), Uuid::from_u128(0xb0b));
    let add = async |by: Uuid| harness.append("tally", by, "tally.added", 1, "{}", None).await;
    let done = async || {
        let types: &[&str] = &["tally.added"];
        let events = of_actor(&harness.pool, (ActorId(ada), types), time(0), 10).await.unwrap();
        events.iter().map(Recorded::position).collect::<Vec<_>>()
    };
    add(ada).await;
    let readers = harness.read(vec![Reader::projection::<AuditTrail>()]).await;
    harness.caught_up(&["audit_trail"]).await;
    let table = "alter table read_models.audit_trail_v2_g1";
    let refuse = format!("{table} add constraint refused check (position <> 2)");
    harness.admin.batch_execute(&refuse).await.unwrap();
    for by in [ada, ada, bob] {
        add(by).await;
    }
    harness.caught_up(&["audit_trail"]).await;
    let waiting = async || parked(&harness.pool, None, None, 10).await.unwrap();
    assert_eq!(waiting().await.iter().map(|it| it.from_position).collect::<Vec<_>>(), [2]);
    let rows = "select count(*) from read_models.audit_trail_v2";
    assert_eq!(harness.count(rows).await, 2, "the first event, and that of the other stream");

    assert_eq!(done().await, [1, 2, 3]);

    harness.admin.batch_execute(&format!("{table} drop constraint refused")).await.unwrap();
    assert!(release(&harness.pool, "audit_trail", ada).await.unwrap());
    test_support::until("it is read on", async || waiting().await.is_empty()).await;
    assert_eq!(done().await, [1, 2, 3]);
    readers.stop().await;
}

/// Of the stream that the trail has parked: one of before the time, one of another type, one by somebody else. What only
/// other readers have parked, and what came behind the end of the trail, is there once.
#[tokio::test]
async fn of_a_parked_stream_only_what_is_asked_for_is_found_and_once() {
    let harness = LogHarness::new().await;
    let (ada, bob) = (Uuid::from_u128(0xada), Uuid::from_u128(0xb0b));
    let add = async |stream: Uuid, event_type: &str| {
        harness.append("tally", stream, event_type, 1, "{}", None).await
    };
    let set = async |position: i64, to: &str| {
        let set = format!("update event_log.events set {to} where position = {position}");
        assert_eq!(harness.admin.execute(&set, &[]).await.unwrap(), 1);
    };
    harness.admin.batch_execute("set session_replication_role = replica").await.unwrap();
    add(bob, "tally.added").await;
    set(1, &format!("actor = '{ada}'")).await;
    let readers = harness.read(vec![Reader::projection::<AuditTrail>()]).await;
    harness.caught_up(&["audit_trail"]).await;
    let refuse =
        "alter table read_models.audit_trail_v2_g1 add constraint refused check (position <> 2)";
    harness.admin.batch_execute(refuse).await.unwrap();
    for event_type in ["tally.added", "tally.unknown", "tally.added", "tally.added"] {
        add(ada, event_type).await;
    }
    add(bob, "tally.added").await;
    harness.caught_up(&["audit_trail"]).await;
    readers.stop().await;
    set(2, "recorded_at = recorded_at - interval '1 day'").await;
    set(4, &format!("actor = '{bob}'")).await;
    add(ada, "tally.added").await;
    let parked = "insert into readers.parked
          (reader, version, replay, stream_id, from_position, error)
        values ('audit_trail', 1, false, $1, 1, ''), ('audit_trail', 2, true, $1, 1, ''),
          ('accounts', 2, false, $1, 1, '')";
    assert_eq!(harness.admin.execute(parked, &[&bob]).await.unwrap(), 3);

    let types: &[&str] = &["tally.added"];
    let found = of_actor(&harness.pool, (ActorId(ada), types), time(1), 10).await.unwrap();

    assert_eq!(found.iter().map(Recorded::position).collect::<Vec<_>>(), [1, 5, 7]);
}

/// How many rows all scans of a statement have read.
fn rows_read(plan: &serde_json::Value) -> f64 {
    let of = |name: &str| plan[name].as_f64().unwrap_or_default();
    let is_scan = plan["Relation Name"].is_string();
    let read =
        of("Actual Rows") + of("Rows Removed by Filter") + of("Rows Removed by Index Recheck");
    let own = if is_scan { read * of("Actual Loops") } else { 0.0 };
    let below = plan["Plans"].as_array().into_iter().flatten();
    own + below.map(rows_read).sum::<f64>()
}

pub async fn rows_read_by(harness: &LogHarness, statement: &str) -> f64 {
    let explain = format!("explain (analyze, format json) {statement}");
    let row = harness.admin.query_one(&explain, &[]).await.unwrap();
    rows_read(&row.get::<_, serde_json::Value>(0)[0]["Plan"])
}

#[tokio::test]
async fn the_events_of_a_time_are_found_without_a_walk_from_the_first_one() {
    let harness = LogHarness::new().await;
    let table = AuditTrail::TABLE.replace("{table}", "read_models.audit_trail_v2");
    let fill = format!(
        "insert into read_models.audit_trail_v2
        select n, md5(n::text)::uuid, md5(n::text)::uuid, 'tally.added', '{}'::timestamptz + n * interval '1 second'
        from generate_series(1, {ROWS}) n",
        time(0).to_rfc3339()
    );
    let indexes = AuditTrail::INDEXES.replace("{table}", "read_models.audit_trail_v2");
    let analyze = "analyze read_models.audit_trail_v2";
    let grant = "grant select on read_models.audit_trail_v2 to lethe_app";
    for statement in [&table, &fill, &indexes, analyze, grant] {
        harness.admin.batch_execute(statement).await.unwrap();
    }
    let since = time(0) + TimeDelta::seconds(ROWS / 2);
    let literal = format!("'{}'::timestamptz", since.to_rfc3339());
    let walk = FIND.replace("$1", "0").replace("$2", "10000000").replace("$6", &literal);
    let walk = ["$3", "$4", "$5", "$7"].iter().fold(walk, |sql, it| sql.replace(it, "null"));
    assert!(rows_read_by(&harness, &walk).await > 60_000.0, "the control");

    for seconds in [1, 100, ROWS / 2, ROWS - 10, ROWS, 2 * ROWS] {
        let time = time(0) + TimeDelta::seconds(seconds);
        let literal = format!("'{}'::timestamptz", time.to_rfc3339());
        let read = rows_read_by(&harness, &FIND_EDGE.replace("$1", &literal)).await;
        // Two of the ranges of 128 pages, each of some 90 rows, and the halves.
        assert!(read < 40_000.0, "{seconds}: {read}");
    }
    let time = Some(since);
    let page = Filter { since: time, ..Filter::default() };
    assert!(rows_read_by_page(&harness, page, 0).await < 60_000, "from where the time begins");
    let page = Filter { until: time, ..Filter::default() };
    let last = ROWS / 2 - 10;
    assert!(rows_read_by_page(&harness, page, last).await < 60_000, "to where the time ends");
    for (filter, value) in [("$3", "md5('7')::uuid"), ("$4", "md5('7')::uuid"), ("$5", "'none'")] {
        let find = FIND.replace("$1", "0").replace("$2", "10000000");
        let find = find.replace(filter, value);
        let find =
            ["$3", "$4", "$5", "$6", "$7"].iter().fold(find, |sql, it| sql.replace(it, "null"));
        assert!(rows_read_by(&harness, &find).await < 1000.0, "the index for {filter}");
    }
}

/// On a connection of its own, whose figures are known once it has ended. The log has none of these events.
async fn rows_read_by_page(harness: &LogHarness, filter: Filter, after: i64) -> i64 {
    let read = "select seq_tup_read + idx_tup_fetch from pg_stat_user_tables where relname = 'audit_trail_v2'";
    harness.admin.batch_execute("select pg_stat_force_next_flush()").await.unwrap();
    let before = harness.count(read).await;
    let pool = connect(&harness.databases.log_url, &ConnectOptions::app()).await.unwrap();
    let client = pool.get().await.unwrap();
    let row = client.query_one("select pg_backend_pid()", &[]).await.unwrap();
    let process: i32 = row.get(0);
    drop(client);
    let found = page(&pool, &filter, (TimeOrder::Oldest, Some(after)), 200).await;
    assert!(matches!(found, Err(FeedError::Hole { .. })), "{found:?}");
    pool.close();
    let gone = "select from pg_stat_activity where pid = $1";
    test_support::until("its connection has ended", async || {
        harness.admin.query(gone, &[&process]).await.unwrap().is_empty()
    })
    .await;
    harness.count(read).await - before
}

#[tokio::test]
async fn a_newer_version_is_built_from_the_first_event_while_the_older_one_is_read() {
    let harness = LogHarness::new().await;
    mixed::live(&harness, 5).await;
    let old = options(Uuid::from_u128(1));
    let old = harness.read_as(old, vec![Reader::projection::<Older>()]).await;
    harness.caught_up(&["audit_trail"]).await;

    let new = options(Uuid::from_u128(2));
    let new = harness.read_as(new, vec![Reader::projection::<AuditTrail>()]).await;
    mixed::live(&harness, 1).await;

    test_support::until("both are at the end", async || {
        let status = status(&harness.pool).await.unwrap();
        let read: Vec<_> = status.iter().map(|it| (it.version, it.position)).collect();
        let head = harness.head();
        if read == [(1, head), (2, head)] { Ok(()) } else { Err(read) }
    })
    .await;
    let count = "select (select count(*) from read_models.audit_trail) -
        (select count(*) from read_models.audit_trail_v2)";
    assert_eq!(harness.count(count).await, 0);
    let found = positions(&harness, Filter::default()).await;
    assert_eq!(found, (1..=harness.head()).collect::<Vec<_>>());
    old.stop().await;
    new.stop().await;
}

#[tokio::test]
async fn what_an_older_version_has_left_is_deleted_once_nobody_reads_it() {
    let harness = LogHarness::new().await;
    mixed::live(&harness, 2).await;
    let readers = vec![Reader::projection::<Older>(), Reader::projection::<AuditTrail>()];
    let readers = harness.read(readers).await;
    test_support::until("both are at the end", async || {
        let status = status(&harness.pool).await.unwrap();
        status.len() == 2 && status.iter().all(|it| it.lag_events == 0)
    })
    .await;
    let own = [Reader::projection::<AuditTrail>(), Reader::projection::<crate::tally::Tally>()];
    let deleted = async |unused| delete_superseded(&harness.pool, &own, unused).await.unwrap();
    let nothing = Vec::<String>::new();
    assert_eq!(deleted(Duration::ZERO).await, nothing, "a node serves it");
    readers.stop().await;

    assert_eq!(deleted(DAY).await, nothing, "the older programme may come back");
    let behind = "update readers.checkpoints set position = position - 1 where version = 2";
    harness.admin.execute(behind, &[]).await.unwrap();
    assert_eq!(deleted(Duration::ZERO).await, nothing, "the newer version is not built yet");
    let built = "update readers.checkpoints set position = position + 1 where version = 2";
    harness.admin.execute(built, &[]).await.unwrap();

    assert_eq!(deleted(Duration::ZERO).await, ["audit_trail"]);

    assert_eq!(deleted(Duration::ZERO).await, nothing);
    let left = status(&harness.pool).await.unwrap();
    assert_eq!(left.iter().map(|it| it.version).collect::<Vec<_>>(), [2]);
    let tables = "select count(*) from pg_tables where schemaname = 'read_models'";
    assert_eq!(harness.count(tables).await, 1);
}
