//! A stream of 1,000 events: read whole, and from its snapshot for a command.

use std::time::{Duration, Instant};

use domain::Event;
use domain::account::{Account, AccountEvent};
use infra::event_store::ExecutorConfig;
use tokio_postgres::{Client, Statement};

use crate::callers::{Caller, done};
use test_support::TestNode;

use crate::harness::Harness;
use crate::table::Table;
use crate::{rival, seconds};

const EVENTS: usize = 1000;
/// More than such a small cache holds, so that each load is a whole one.
const STREAMS: usize = 8;

pub async fn measure(harness: &Harness, table: &mut Table) {
    println!("streams of {EVENTS} events");
    let forgetful = |snapshot_events| ExecutorConfig {
        states_max: 2,
        snapshot_events,
        ..ExecutorConfig::default()
    };
    let whole = harness.node_with("log", forgetful(i64::MAX)).await;
    let people = long_streams(harness, &whole).await;
    let client = harness.owner("log").await;
    let select = "select version, event_type, schema_version, data::text, sealed
        from event_log.events where stream_id = $1 order by version";
    let select = client.prepare(select).await.unwrap();
    let (mut loads, mut bare) = (Vec::new(), Vec::new());
    let until = Instant::now() + seconds() * 2;
    while Instant::now() < until {
        for caller in &people {
            loads.push(timed(load(&whole, caller)).await);
            bare.push(timed(select_and_parse(&client, &select, caller)).await);
        }
    }
    let each_second = |took: Vec<Duration>| {
        let within = took.iter().sum();
        done(took, within).each_second * EVENTS as f64
    };
    let (loads, bare) = (each_second(loads), each_second(bare));
    table.row("events loaded: select and parse", loads, bare, Some(0.85), "events/s");

    rival::prepare(harness).await;
    let bare = rival::inserts(harness, 1, seconds()).await;
    let snapshots = harness.node_with("log", forgetful(100)).await;
    let people = long_streams(harness, &snapshots).await;
    let mut took = Vec::new();
    let until = Instant::now() + seconds();
    while Instant::now() < until {
        for caller in &people {
            took.push(timed(caller.sign_in()).await);
        }
    }
    let within = took.iter().sum();
    let ours = done(took, within);
    let note = format!("p50 {:.2} ms", ours.p50_ms);
    let what = "command on a snapshot of 1,000 events, 1 caller: pgbench";
    table.row(what, ours.each_second, bare, Some(0.5), &note);
}

async fn long_streams(harness: &Harness, node: &TestNode) -> Vec<Caller> {
    let people = Caller::come_all(std::slice::from_ref(node), &harness.ids, STREAMS).await;
    for caller in &people {
        for _ in 2..EVENTS {
            caller.sign_in().await;
        }
    }
    people
}

async fn timed(what: impl Future) -> Duration {
    let since = Instant::now();
    what.await;
    since.elapsed()
}

async fn load(node: &TestNode, caller: &Caller) {
    let loaded = node.executor.load::<Account>(caller.account.into(), caller.account.0).await;
    assert_eq!(usize::try_from(loaded.unwrap().version).unwrap(), EVENTS);
}

async fn select_and_parse(client: &Client, select: &Statement, caller: &Caller) {
    let rows = client.query(select, &[&caller.account.0]).await.unwrap();
    assert_eq!(rows.len(), EVENTS);
    for row in rows {
        let event = AccountEvent::decode(row.get(1), row.get(2), row.get(3)).unwrap();
        std::hint::black_box((event, row.get::<_, &[u8]>(4)));
    }
}
