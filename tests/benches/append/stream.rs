//! A stream of 1,000 events: read whole, and from its snapshot for a command.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use domain::Event;
use domain::account::{Account, AccountEvent};
use infra::event_store::ExecutorConfig;
use test_support::TestNode;
use tests::bench::{Cpu, CpuMeter, Goal, Run, Table, in_turns};
use tokio_postgres::{Client, Statement};

use crate::callers::{Caller, repeat_for, sign_in_for, timed};
use crate::harness::Harness;
use crate::seconds;

const EVENTS: usize = 1000;
/// More than such a small cache holds, so that each load is a whole one.
const STREAMS: usize = 8;

pub async fn measure(harness: &Harness, table: &mut Table) {
    println!("streams of {EVENTS} events");
    loads(harness, table).await;
    commands(harness, table).await;
}

async fn loads(harness: &Harness, table: &mut Table) {
    let whole = harness.node_with("log", forgetful(i64::MAX)).await;
    let people = long_streams(harness, &whole).await;
    let client = harness.owner("log").await;
    let select = "select version, event_type, schema_version, data::text, sealed
        from event_log.events where stream_id = $1 order by version";
    let select = client.prepare(select).await.unwrap();
    let [loads, bare] = in_turns(async |who| match who {
        0 => each(&people, async |caller| load(&whole, caller).await).await,
        _ => each(&people, async |caller| select_and_parse(&client, &select, caller).await).await,
    })
    .await;
    let events = |streams: f64| streams * EVENTS as f64;
    let (loads, bare) = (loads.map(events), bare.map(events));
    table.row("events loaded: select and parse", &loads, &bare, Goal::AtLeast(0.85), "a stream:");
}

async fn commands(harness: &Harness, table: &mut Table) {
    let pgbench = harness.pgbench().await;
    let snapshots =
        harness.node_with("log", forgetful(ExecutorConfig::default().snapshot_events)).await;
    let people = long_streams(harness, &snapshots).await;
    let fresh = harness.node("log").await;
    let [ours, append, bare] = in_turns(async |who| match who {
        0 => sign_in_in_rotation(people.clone(), &harness.meter).await,
        1 => {
            let caller = Caller::come(&fresh, &harness.ids).await;
            sign_in_for(vec![caller], seconds(), &harness.meter).await
        }
        _ => pgbench.run(1, seconds()).await,
    })
    .await;
    let what = "command on a snapshot of 1,000 events, 1 caller";
    table.row(&format!("{what}: Lethe's own append"), &ours, &append, Goal::AtLeast(0.8), "");
    table.row(&format!("{what}: pgbench"), &ours, &bare, Goal::None, "");
}

/// One after the other signs in, in a task as that of `sign_in_for`.
async fn sign_in_in_rotation(people: Vec<Caller>, meter: &CpuMeter) -> Run {
    let next = AtomicUsize::new(0);
    let sign_in = move || {
        let caller = people[next.fetch_add(1, Ordering::Relaxed) % STREAMS].clone();
        async move { caller.sign_in().await }
    };
    repeat_for(std::iter::once(sign_in), seconds(), meter).await
}

fn forgetful(snapshot_events: i64) -> ExecutorConfig {
    ExecutorConfig { states_max: 2, snapshot_events, ..ExecutorConfig::default() }
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

/// Once for each of them in turn, again and again.
async fn each(people: &[Caller], what: impl AsyncFn(&Caller)) -> Run {
    let until = Instant::now() + seconds();
    let mut took: Vec<Duration> = Vec::new();
    while Instant::now() < until {
        for caller in people {
            took.push(timed(what(caller)).await);
        }
    }
    let within = took.iter().sum();
    Run::of_operations(took, within, Cpu::default())
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
