//! The append's time does not grow with the number of partitions.

use tests::bench::{Goal, Series, Table, in_turns};

use crate::callers::{Caller, come_for, sign_in_for};
use crate::harness::Harness;
use crate::seconds;

const FILL: &str = include_str!("fill.sql");
const DIVIDE: &str = include_str!("divide.sql");
const AGE: &str = include_str!("age.sql");

const ONE: &str = "one";
const TWENTY: &str = "twenty";
const EVENTS: i64 = 200_000;

/// The last of the 20 partitions holds the last 30 days.
pub async fn measure(harness: &Harness, table: &mut Table) {
    println!("appends to a log of {EVENTS} events in 1 and in 20 partitions");
    for log in [ONE, TWENTY] {
        harness.log(log).await;
        let owner = harness.owner(log).await;
        if log == TWENTY {
            owner.batch_execute(DIVIDE).await.unwrap();
        }
        owner.execute(FILL, &[&EVENTS]).await.unwrap();
        owner.batch_execute(AGE).await.unwrap();
        owner.batch_execute("vacuum analyze event_log.events").await.unwrap();
    }
    let nodes = [harness.node(TWENTY).await, harness.node(ONE).await];
    harness.owner(ONE).await.batch_execute("checkpoint").await.unwrap();
    for callers in [1, 64] {
        let [twenty, one] = in_turns(async |who| {
            let node = std::slice::from_ref(&nodes[who]);
            let people = Caller::come_all(node, &harness.ids, callers).await;
            sign_in_for(people, seconds(), &harness.meter).await
        })
        .await;
        row(table, &format!("append with 20 partitions: with 1, {callers} callers"), &twenty, &one);
    }
    let [twenty, one] = in_turns(async |who| {
        come_for(&nodes[who], &harness.ids, 64, seconds(), &harness.meter).await
    })
    .await;
    row(table, "new streams of two events with 20 partitions: with 1, 64 callers", &twenty, &one);
}

fn row(table: &mut Table, what: &str, twenty: &Series, one: &Series) {
    table.row(what, twenty, one, Goal::AtLeast(0.95), "");
}
