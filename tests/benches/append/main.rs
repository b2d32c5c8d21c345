//! The log against the bare database: every figure with a ratio measured in the same run.
//!
//! `LETHE_BENCH_SECONDS` is how long one run takes (2), `LETHE_BENCH_TURNS` how often each is done (5);
//! `LETHE_BENCH_ONLY` picks parts by name: `append`, `slow`, `people`, `guards`, `stream`, `seal`, `size`,
//! `partitions`, `held`.
//! `LETHE_BENCH_EVENTS` is how large the large log of `size` is (5,000,000), `LETHE_BENCH_HELD_SECONDS`
//! for how long `held` holds a transaction open (20).

mod append;
mod callers;
mod guards;
mod harness;
mod held;
mod partitions;
mod people;
mod seal;
mod size;
mod stream;

use std::time::Duration;

use harness::Harness;
use tests::bench::{Table, wanted};

fn seconds() -> Duration {
    tests::bench::seconds(2)
}

fn main() {
    // The server ends with the thread that started it, so that is this one.
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let harness = Harness::start().await;
        let mut table = Table::default();
        if wanted("append") {
            append::measure(&harness, &mut table, Duration::ZERO).await;
        }
        if wanted("slow") {
            append::measure(&harness, &mut table, Duration::from_millis(5)).await;
        }
        if wanted("guards") {
            guards::measure(&harness, &mut table).await;
        }
        if wanted("seal") {
            seal::measure(&harness, &mut table).await;
        }
        if wanted("people") {
            people::measure(&harness, &mut table).await;
        }
        if wanted("stream") {
            stream::measure(&harness, &mut table).await;
        }
        if wanted("size") {
            size::measure(&harness, &mut table).await;
        }
        if wanted("partitions") {
            partitions::measure(&harness, &mut table).await;
        }
        if wanted("held") {
            held::measure(&harness, &mut table).await;
        }
        table.print();
        harness.stop().await;
    });
}
