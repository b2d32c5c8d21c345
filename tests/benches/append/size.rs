//! The append's time does not grow with the log.

use tests::bench::{Goal, Table, in_turns, number};

use crate::callers::{Caller, sign_in_for};
use crate::harness::Harness;
use crate::seconds;

const FILL: &str = include_str!("fill.sql");

const SMALL: &str = "small";
const LARGE: &str = "large";
const SMALL_EVENTS: i64 = 10_000;

pub async fn measure(harness: &Harness, table: &mut Table) {
    let events = i64::try_from(number("LETHE_BENCH_EVENTS", 5_000_000)).unwrap();
    println!("appends to a log of {SMALL_EVENTS} and of {events} events");
    for (log, events) in [(SMALL, SMALL_EVENTS), (LARGE, events)] {
        harness.log(log).await;
        let owner = harness.owner(log).await;
        owner.execute(FILL, &[&events]).await.unwrap();
        owner.batch_execute("vacuum analyze event_log.events").await.unwrap();
    }
    let nodes = [harness.node(LARGE).await, harness.node(SMALL).await];
    harness.owner(SMALL).await.batch_execute("checkpoint").await.unwrap();
    for callers in [64, 1] {
        let [large, small] = in_turns(async |who| {
            let node = std::slice::from_ref(&nodes[who]);
            let people = Caller::come_all(node, &harness.ids, callers).await;
            sign_in_for(people, seconds(), &harness.meter).await
        })
        .await;
        let what = format!("append at {events} events: at {SMALL_EVENTS}, {callers} callers");
        table.row(&what, &large, &small, Goal::AtLeast(0.97), "");
    }
}
