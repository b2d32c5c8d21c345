//! The rows of some streams as their events make them, at every position.

use crate::harness::{LogHarness, newest_version, time};
use crate::tally::{Act, Tally};
use crate::{mixed, team};
use chrono::TimeDelta;
use domain::workspace::WorkspaceEvent;
use domain::{AccountId, WorkspaceId};
use infra::log::{
    AsOf, Differs, FoldError, Reader, RowDifference, RowsAsOf, compare_streams, rows_as_of,
};
use infra::postgres::{ConnectOptions, connect_one};
use serde_json::{Value, json};
use test_support::until_waits_for_lock;
use uuid::Uuid;

const STREAMS: &str = "select distinct stream_id from event_log.events order by stream_id";

async fn as_of(harness: &LogHarness, stream: Uuid, as_of: AsOf) -> Result<RowsAsOf, FoldError> {
    let tally = Reader::projection::<Tally>();
    rows_as_of(&harness.pool, &tally, stream, as_of, newest_version).await
}

/// Appends a letter to a stream.
async fn add(harness: &LogHarness, stream: Uuid, letter: &str) -> i64 {
    let data = format!(r#"{{"add":"{letter}"}}"#);
    harness.append("tally", stream, "tally.added", 1, &data, None).await
}

async fn differences(harness: &LogHarness, reader: &Reader) -> Vec<RowDifference> {
    let streams = harness.admin.query(STREAMS, &[]).await.unwrap();
    let streams: Vec<Uuid> = streams.iter().map(|row| row.get(0)).collect();
    compare_streams(&harness.pool, reader, &streams, newest_version).await.unwrap()
}

#[tokio::test]
async fn the_events_of_a_stream_make_at_each_position_what_they_had_made_by_then() {
    let harness = LogHarness::new().await;
    let [stream, other] = [0xc1, 0xc2].map(Uuid::from_u128);
    let mut texts = vec![Value::Null];
    let mut text = String::new();
    for letter in ["a", "b", "c", "d", "e"] {
        let position = add(&harness, stream, letter).await;
        text.push_str(letter);
        let row = json!({ "stream": stream, "text": text, "position": position });
        add(&harness, other, "x").await;
        texts.extend([row.clone(), row]);
    }

    for (through, wanted) in (0..).zip(&texts) {
        let shown = as_of(&harness, stream, AsOf::Position(through)).await.unwrap();
        let rows = if wanted.is_null() { vec![] } else { vec![wanted.clone()] };
        assert_eq!((shown.through, shown.rows, shown.ends_before), (through, rows, None));
    }
    let now = as_of(&harness, stream, AsOf::Now).await.unwrap();
    assert_eq!((now.through, now.rows.first()), (harness.head(), texts.last()));

    // The stream has the odd positions, each recorded at its time.
    let at_five = as_of(&harness, stream, AsOf::Time(time(5))).await.unwrap();
    assert_eq!((at_five.through, &at_five.rows[0]["text"]), (5, &json!("abc")));
    let before = time(5) - TimeDelta::microseconds(1);
    let before_five = as_of(&harness, stream, AsOf::Time(before)).await.unwrap();
    assert_eq!((before_five.through, &before_five.rows[0]["text"]), (3, &json!("ab")));
    let too_early = as_of(&harness, stream, AsOf::Time(time(0))).await.unwrap();
    assert_eq!((too_early.through, too_early.rows.len()), (0, 0));
}

#[tokio::test]
async fn a_row_ends_before_the_event_that_does_not_fit() {
    let harness = LogHarness::new().await;
    let tally = Reader::projection::<Tally>();
    let stream = Uuid::from_u128(0xc3);
    for letter in ["a", "!", "b"] {
        add(&harness, stream, letter).await;
    }

    let shown = as_of(&harness, stream, AsOf::Now).await.unwrap();

    assert_eq!(shown.rows, [json!({ "stream": stream, "text": "a", "position": 1 })]);
    assert_eq!(shown.ends_before, Some((2, "event 2 cannot be read".to_owned())));
    let readers = harness.read(vec![tally.clone()]).await;
    harness.caught_up(&["tally"]).await;
    let found = differences(&harness, &tally).await;
    assert!(found.is_empty(), "the reader has parked it there: {found:?}");
    readers.stop().await;
}

#[tokio::test]
async fn a_stream_that_waits_for_another_generation_is_compared_as_far_as_it_is_shown() {
    let harness = LogHarness::new().await;
    let tally = Reader::projection::<Tally>();
    let stream = Uuid::from_u128(0xc6);
    for letter in ["a", "b"] {
        add(&harness, stream, letter).await;
    }
    let readers = harness.read(vec![tally.clone()]).await;
    harness.caught_up(&["tally"]).await;
    readers.stop().await;
    let park = "insert into readers.parked
        (reader, version, generation, replay, stream_id, from_position, error)
        values ('tally', 1, 2, true, $1, 2, 'unfit')";
    harness.admin.execute(park, &[&stream]).await.unwrap();

    let found = differences(&harness, &tally).await;

    assert!(found.is_empty(), "{found:?}");
    let live = "update readers.parked set generation = 1, replay = false";
    harness.admin.execute(live, &[]).await.unwrap();
    assert_eq!(differences(&harness, &tally).await.len(), 1, "the control");
}

#[tokio::test]
async fn what_no_stream_has_made_and_what_is_not_known_is_refused() {
    let harness = LogHarness::new().await;
    let stream = Uuid::from_u128(0xc4);
    add(&harness, stream, "a").await;
    let of = async |reader: &Reader| {
        rows_as_of(&harness.pool, reader, stream, AsOf::Now, newest_version).await.unwrap_err()
    };

    assert!(matches!(of(&Reader::worker(Act)).await, FoldError::Worker));
    let trail = projections::named("audit_trail").unwrap();
    assert!(matches!(of(&trail).await, FoldError::EachEvent));
    let nothing = as_of(&harness, Uuid::from_u128(0xc5), AsOf::Now).await.unwrap_err();
    assert!(matches!(nothing, FoldError::NoStream));
    let beyond = as_of(&harness, stream, AsOf::Position(2)).await.unwrap_err();
    assert_eq!(beyond.to_string(), "the log ends at 1");
    let tally = Reader::projection::<Tally>();
    let unread = compare_streams(&harness.pool, &tally, &[stream], newest_version).await;
    assert!(matches!(unread, Err(FoldError::NotFollowed)), "{unread:?}");

    harness.append("tally", stream, "tally.added", 2, "{}", None).await;
    let newer = as_of(&harness, stream, AsOf::Now).await.unwrap_err();
    let known = as_of(&harness, stream, AsOf::Position(1)).await.unwrap();
    assert!(matches!(newer, FoldError::Unknown { position: 2, version: 2, .. }), "{newer:?}");
    assert_eq!(known.rows[0]["text"], "a");
}

#[tokio::test]
async fn each_row_is_what_its_events_make_until_somebody_else_changes_it() {
    let harness = LogHarness::new().await;
    mixed::live(&harness, 6).await;
    team::work(&harness, 3).await;
    let workspace = WorkspaceId(Uuid::from_u128(7_000_001));
    let member = AccountId(Uuid::from_u128(2));
    let readers = harness.read(projections::all()).await;
    let names: Vec<_> = projections::all().iter().map(Reader::name).collect();
    harness.caught_up(&names).await;
    let keep = format!(
        "create table public.kept as select * from read_models.memberships
        where (workspace_id, account_id) = ('{}', '{}')",
        workspace.0, member.0
    );
    harness.admin.batch_execute(&keep).await.unwrap();
    let removed = WorkspaceEvent::MemberRemoved { account: member };
    harness.record("workspace", workspace.0, removed).await;
    harness.caught_up(&names).await;
    readers.stop().await;

    let mut compared = 0;
    for reader in projections::all().iter().filter(|reader| reader.name() != "audit_trail") {
        let found = differences(&harness, reader).await;
        assert!(found.is_empty(), "{reader:?}: {found:?}");
        compared += 1;
    }
    assert_eq!(compared, projections::all().len() - 1);

    let sessions = projections::named("sessions").unwrap();
    let [changed, missing] = [501_000, 501_001].map(Uuid::from_u128);
    let spoil = format!(
        "update read_models.sessions set kind = 'client', version = 9 where session_id = '{changed}';
        delete from read_models.sessions where session_id = '{missing}';
        insert into read_models.memberships select * from public.kept"
    );
    harness.admin.batch_execute(&spoil).await.unwrap();

    let found = differences(&harness, &sessions).await;
    let of = |stream: Uuid, is| RowDifference { stream, key: stream.to_string(), is };
    let columns = ["kind", "version"].map(str::to_owned).to_vec();
    let wanted = [of(changed, Differs::Changed { columns }), of(missing, Differs::Missing)];
    assert_eq!(found, wanted);
    let memberships = projections::named("memberships").unwrap();
    let found = differences(&harness, &memberships).await;
    assert_eq!((found.len(), found[0].stream), (1, workspace.0), "{found:?}");
    assert_eq!(found[0].is, Differs::More);
}

/// As a promotion of what was built a moment ago.
const PROMOTE: &str = "
    begin;
    lock table readers.parked;
    set local role lethe_app;
    create table read_models.tally_v1_g2 as table read_models.tally_v1_g1;
    create or replace view read_models.tally as select * from read_models.tally_v1_g2;
    reset role;
    update readers.checkpoints set generation = 2 where name = 'tally'";

#[tokio::test]
async fn a_promotion_meanwhile_is_no_difference() {
    let harness = LogHarness::new().await;
    let stream = Uuid::from_u128(0xc6);
    add(&harness, stream, "a").await;
    let readers = harness.read(vec![Reader::projection::<Tally>()]).await;
    harness.caught_up(&["tally"]).await;
    readers.stop().await;
    let url = &harness.databases.log_url;
    let promoting = connect_one(url, &ConnectOptions::default()).await.unwrap();
    promoting.batch_execute(PROMOTE).await.unwrap();
    let pool = harness.pool.clone();
    let comparing = tokio::spawn(async move {
        let tally = Reader::projection::<Tally>();
        compare_streams(&pool, &tally, &[stream], newest_version).await
    });
    until_waits_for_lock(&harness.admin, "from readers.parked").await;

    promoting.batch_execute("commit").await.unwrap();

    let found = comparing.await.unwrap().unwrap();
    assert!(found.is_empty(), "{found:?}");
}
