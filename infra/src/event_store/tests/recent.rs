//! However many partitions the log has, an append looks at those of the last 30 days.

use tokio_postgres::types::ToSql;
use tokio_postgres::{Client, Transaction};
use uuid::Uuid;

use super::super::append::outcome::AppendOutcome;
use super::super::append::partitions::create_partitions_ahead;
use super::super::append::rows::{Append, NewEvent, NewGuard, NewReservation};
use super::super::load::streams::{LOAD, LOAD_AFTER};
use super::{Node, appended, count, databases, event, node, one, owner, pool};

const OLD_LOG: &str = include_str!("old_log.sql");
const SESSION_SETTINGS: &str = include_str!("../append/session_settings.sql");
const LOOK_UP: &str = include_str!("../append/look_up.sql");
const ONE: &str = "select at from event_log.append_one_guarded($1, $2)";
const BATCH: &str = "select cardinality(refused) from event_log.append_guarded($1, $2, $3)";

type Values<'a> = &'a [&'a (dyn ToSql + Sync)];

async fn old_log(url: &str) -> Client {
    let client = owner(url).await;
    client.batch_execute(OLD_LOG).await.unwrap();
    client
}

/// The partitions that this transaction has opened, or that it has scanned.
async fn partitions(transaction: &Transaction<'_>, which: &str) -> Vec<String> {
    let found = format!(
        "select c.relname::text from pg_class c join pg_inherits i on i.inhrelid = c.oid
         where i.inhparent = 'event_log.events'::regclass and exists ({which}) order by 1"
    );
    let rows = transaction.query(&found, &[]).await.unwrap();
    rows.iter().map(|row| row.get(0)).collect()
}

const OPENED: &str = "select from pg_locks l where l.relation = c.oid and l.pid = pg_backend_pid()";
const SCANNED: &str = "select from pg_stat_xact_all_tables s
    where s.relid = c.oid and s.seq_scan + s.idx_scan > 0";

/// One execution of a plan that serves any values, in a transaction of its own.
async fn after(
    client: &mut Client,
    statement: &str,
    values: Values<'_>,
    which: &str,
) -> Vec<String> {
    // What earlier transactions have scanned would count, too.
    client.query("select pg_stat_force_next_flush()", &[]).await.unwrap();
    let transaction = client.transaction().await.unwrap();
    transaction.query(statement, values).await.unwrap();
    let found = partitions(&transaction, which).await;
    transaction.rollback().await.unwrap();
    found
}

fn without_command(event: NewEvent) -> NewEvent {
    NewEvent { command_id: None, events: None, ..event }
}

/// Of the first append.
fn guard(stream: u128, version: i64, after: i64) -> NewGuard {
    NewGuard { appends: vec![0], stream_id: Uuid::from_u128(stream), version, after }
}

/// With a reservation, so that the function for batches decides.
fn reserving(event: NewEvent) -> Append {
    let blind_index = event.stream_id.as_bytes().to_vec();
    let (kind, owner) = ("address".to_owned(), event.stream_id);
    let reservation = NewReservation { append: 0, kind, blind_index, owner, taken: true };
    Append { events: vec![event], reservations: vec![reservation], ..Append::default() }
}

async fn append(node: &Node, append: Append) -> AppendOutcome {
    node.queue.append(append).await.unwrap()
}

#[tokio::test]
async fn an_append_opens_no_partition_that_is_older_than_30_days() {
    let databases = databases().await;
    let mut client = old_log(&databases.log_url).await;
    client.batch_execute(SESSION_SETTINGS).await.unwrap();

    // The one that is guarded has changed, was never there, or began long ago.
    let guards = [guard(1906, 0, 1900), guard(9009, 0, 1901), guard(5, 1, 1910)];
    for (command, stream, version) in [(9001, 1905, 2), (9002, 9002, 1), (1905, 9003, 1)] {
        let single = event(command, stream, version);
        assert_eq!(
            after(&mut client, ONE, &[&single, &&guards[..]], OPENED).await,
            ["events_1901"]
        );
    }

    let mut second = event(9001, 9004, 1);
    second.append = 1;
    let news = [event(9005, 1905, 2), second, without_command(event(9005, 1906, 2))];
    let moves: [NewReservation; 0] = [];
    assert_eq!(
        after(&mut client, BATCH, &[&&news[..], &&moves[..], &&guards[..]], OPENED).await,
        ["events_1901"]
    );
}

#[tokio::test]
async fn a_command_or_a_stream_is_not_looked_for_in_older_partitions() {
    let databases = databases().await;
    let mut client = old_log(&databases.log_url).await;
    client.batch_execute(SESSION_SETTINGS).await.unwrap();
    let (tenant, kind) = (Uuid::from_u128(1), "car");
    let (known, absent) = (Uuid::from_u128(1905), Uuid::from_u128(9001));

    let of: Values<'_> = &[&tenant, &known];
    assert_eq!(after(&mut client, LOOK_UP, of, SCANNED).await, ["events_1901"]);
    let of: Values<'_> = &[&known, &tenant, &kind, &1_i16];
    assert_eq!(after(&mut client, LOAD, of, SCANNED).await, ["events_1901"]);
    let of: Values<'_> = &[&absent, &tenant, &kind, &1_i16];
    assert_eq!(after(&mut client, LOAD, of, SCANNED).await, Vec::<String>::new());
    let of: Values<'_> = &[&known, &tenant, &kind, &1_i64, &1905_i64];
    assert_eq!(after(&mut client, LOAD_AFTER, of, SCANNED).await, ["events_1901"]);
    let of: Values<'_> = &[&known, &tenant, &kind, &1_i64, &1750_i64];
    let since = ["events_1701", "events_1801", "events_1901"];
    assert_eq!(after(&mut client, LOAD_AFTER, of, SCANNED).await, since);
    let older = event(9002, 1750, 2);
    let guards: [NewGuard; 0] = [];
    let of: Values<'_> = &[&older, &&guards[..]];
    assert_eq!(after(&mut client, ONE, of, SCANNED).await, since, "from where it began");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_older_stream_goes_on_at_its_version_only() {
    let databases = databases().await;
    let client = old_log(&databases.log_url).await;
    let node = node(&databases.log_url).await;
    let of_another = |command| NewEvent { tenant_id: Uuid::from_u128(2), ..event(command, 5, 2) };
    let of_a_boat = |command| NewEvent { stream_type: "boat", ..event(command, 5, 2) };

    for wrong in [event(9001, 5, 1), event(9002, 5, 3), of_another(9003), of_a_boat(9004)] {
        assert_eq!(append(&node, one(wrong)).await, AppendOutcome::Conflict);
    }
    for wrong in [event(9005, 5, 1), event(9006, 5, 3), of_another(9007), of_a_boat(9008)] {
        assert_eq!(append(&node, reserving(wrong)).await, AppendOutcome::Conflict);
    }
    assert_eq!(count(&client).await, 1910);
    assert!(appended(&append(&node, one(event(9009, 5, 2))).await));
    assert!(appended(&append(&node, reserving(event(9010, 6, 2))).await));
    assert_eq!(append(&node, one(event(9011, 5, 2))).await, AppendOutcome::Conflict);
    assert!(appended(&append(&node, one(event(9012, 5, 3))).await));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_command_id_counts_for_30_days() {
    let databases = databases().await;
    let client = old_log(&databases.log_url).await;
    let node = node(&databases.log_url).await;

    let recent = append(&node, one(event(1901, 9001, 1))).await;
    assert!(
        matches!(recent, AppendOutcome::Replayed { first: 1901, last: 1901, .. }),
        "{recent:?}"
    );
    assert!(appended(&append(&node, one(event(1900, 9001, 1))).await));
    assert_eq!(count(&client).await, 1911);
}

async fn recent_from(client: &Client) -> i64 {
    client.batch_execute("select event_log.move_recent_from()").await.unwrap();
    client.query_one("select event_log.recent_from()", &[]).await.unwrap().get(0)
}

/// The events of these positions were recorded so long ago.
async fn record(client: &Client, positions: std::ops::RangeInclusive<i64>, ago: &str) {
    let record = format!(
        "set session_replication_role = replica;
         update event_log.events set recorded_at = clock_timestamp() - interval '{ago}'
         where position between {} and {};
         set session_replication_role = origin",
        positions.start(),
        positions.end()
    );
    client.batch_execute(&record).await.unwrap();
}

#[tokio::test]
async fn the_recent_part_begins_with_the_first_partition_that_holds_one_of_the_last_30_days() {
    let databases = databases().await;
    let client = old_log(&databases.log_url).await;
    assert_eq!(recent_from(&client).await, 1901);

    record(&client, 1800..=1800, "29 days").await;
    assert_eq!(recent_from(&client).await, 1701);
    // The last event of a partition is missing: the one before it is the last.
    let missing = "set session_replication_role = replica;
        delete from event_log.events where position = 1800;
        set session_replication_role = origin";
    client.batch_execute(missing).await.unwrap();
    record(&client, 1799..=1799, "29 days").await;
    assert_eq!(recent_from(&client).await, 1701);
    // A clock was ahead, or right again: nothing between two partitions is left out.
    record(&client, 500..=500, "1 day").await;
    assert_eq!(recent_from(&client).await, 401);

    // Nobody appends any more: the head stays in it.
    record(&client, 1..=1910, "90 days").await;
    assert_eq!(recent_from(&client).await, 1901);
    client.batch_execute("select event_log.create_partition(2001, 2100)").await.unwrap();
    assert_eq!(recent_from(&client).await, 1901);
}

#[tokio::test]
async fn whoever_makes_partitions_ahead_moves_the_recent_part_with_the_clock() {
    let databases = databases().await;
    let client = old_log(&databases.log_url).await;
    record(&client, 1800..=1800, "29 days").await;

    let ahead = create_partitions_ahead(&pool(&databases.log_url).await, 100).await;

    assert_eq!(ahead.unwrap(), 2000, "nothing had to be made");
    let moved = client.query_one("select event_log.recent_from()", &[]).await.unwrap();
    assert_eq!(moved.get::<_, i64>(0), 1701);
}

/// As a subscription of logical replication writes.
#[tokio::test]
async fn a_stream_is_known_also_where_its_events_are_written_by_a_replica() {
    let databases = databases().await;
    let client = old_log(&databases.log_url).await;
    let write = "set session_replication_role = replica;
        insert into event_log.events (position, tenant_id, stream_type, stream_id, version, event_id, event_type,
          schema_version, data, subjects, recorded_at)
        values (1911, gen_random_uuid(), 'car', '00000000-0000-0000-0000-000000009001', 1, gen_random_uuid(),
          'car.drove', 1, '{}', '{}', now())";
    client.batch_execute(write).await.unwrap();

    let known = "select position from event_log.streams
        where stream_id = '00000000-0000-0000-0000-000000009001'";
    assert_eq!(client.query_one(known, &[]).await.unwrap().get::<_, i64>(0), 1911);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_recent_part_that_begins_too_late_lets_no_wrong_append_through() {
    let databases = databases().await;
    let client = old_log(&databases.log_url).await;
    let begin = async |position: i64| {
        let begin = format!(
            "create or replace function event_log.recent_from() returns bigint
             language sql stable as 'select {position}::bigint'"
        );
        client.batch_execute(&begin).await.unwrap();
    };

    let node = node(&databases.log_url).await;
    begin(1908).await;
    assert_eq!(append(&node, one(event(9001, 1905, 1))).await, AppendOutcome::Conflict);
    assert_eq!(append(&node, reserving(event(9002, 1905, 3))).await, AppendOutcome::Conflict);
    assert!(appended(&append(&node, one(event(9003, 1905, 2))).await));
    assert!(appended(&append(&node, reserving(event(9004, 1906, 2))).await));

    begin(1950).await;
    for beyond in [one(event(9005, 1907, 2)), reserving(event(9006, 9006, 1))] {
        assert!(node.queue.append(beyond).await.is_err());
    }
    assert_eq!(count(&client).await, 1912);
}
