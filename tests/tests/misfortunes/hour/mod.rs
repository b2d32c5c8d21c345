//! An hour of people at a steady pace: memory, connections, tables and latencies stay as they are.

mod load;
mod minute;

use std::sync::Arc;
use std::time::Duration;

use load::Load;
use minute::{Minute, drifts};
use tests::bench::number;
use tests::{Harness, until};

#[tokio::test(flavor = "multi_thread")]
async fn an_hour_is_as_the_first_minutes() {
    let _alone = tests::alone().await;
    let is_long = tests::long();
    let (count, length) = if is_long { (number("LETHE_LONG_MINUTES", 60), 60) } else { (3, 2) };
    let harness = Arc::new(Harness::new().await);
    let load = Load::start(&harness).await;
    let mut minutes = Vec::new();
    let mut over = tokio::time::interval(Duration::from_secs(length));
    over.tick().await;
    for number in 1..=usize::try_from(count).unwrap() {
        over.tick().await;
        until("everything was done once", async || load.has_done_all()).await;
        let minute = Minute::look(&harness, &load).await;
        minute.print(number);
        minutes.push(minute);
    }
    load.stop().await;

    let drifts = drifts(&minutes);

    assert!(minutes.iter().all(Minute::is_whole), "not everything was seen: {minutes:#?}");
    println!("{} minutes of {length} s, drifts: {drifts:#?}", minutes.len());
    assert!(!is_long || drifts.is_empty(), "{drifts:#?}");
}
