//! The append's time does not grow with the log.

use crate::callers::{Caller, sign_in_for};
use crate::harness::Harness;
use crate::seconds;
use crate::table::Table;

const FILL: &str = include_str!("fill.sql");

const LOG: &str = "large";

pub async fn measure(harness: &Harness, table: &mut Table) {
    println!("appends to a log of 10,000 and of 1,000,000 events");
    harness.log(LOG).await;
    let owner = harness.owner(LOG).await;
    owner.execute(FILL, &[&10_000_i64]).await.unwrap();
    let small = rates(harness).await;
    owner.execute(FILL, &[&1_000_000_i64]).await.unwrap();
    for settle in ["vacuum analyze event_log.events", "checkpoint"] {
        owner.batch_execute(settle).await.unwrap();
    }
    let large = rates(harness).await;
    for ((callers, small), (_, large)) in small.into_iter().zip(large) {
        let what = format!("append at 1,000,000 events: at 10,000, {callers} callers");
        // At most 1.1 of the time is at least 0.91 of the rate.
        table.row(&what, large, small, Some(1.0 / 1.1), "appends/s");
    }
    let head = owner.query_one("select max(position) from event_log.events", &[]).await.unwrap();
    println!("  {} events at the end", head.get::<_, i64>(0));
}

async fn rates(harness: &Harness) -> Vec<(usize, f64)> {
    let node = harness.node(LOG).await;
    let mut rates = Vec::new();
    for callers in [1, 64] {
        let people = Caller::come_all(std::slice::from_ref(&node), &harness.ids, callers).await;
        rates.push((callers, sign_in_for(people, seconds()).await.each_second));
    }
    rates
}
