//! The log against the bare database: every figure with a ratio measured in the same run.
//!
//! `LETHE_BENCH_SECONDS` is how long each figure is measured (3), `LETHE_BENCH_ONLY` picks parts by
//! name: `append`, `slow`, `stream`, `seal`, `size`.

mod append;
mod callers;
mod harness;
mod rival;
mod seal;
mod size;
mod stream;
mod table;

use std::time::Duration;

use harness::Harness;
use table::Table;

/// How long each figure is measured.
fn seconds() -> Duration {
    let set = std::env::var("LETHE_BENCH_SECONDS").ok().and_then(|set| set.parse().ok());
    Duration::from_secs(set.unwrap_or(3))
}

fn wanted(part: &str) -> bool {
    std::env::var("LETHE_BENCH_ONLY").map_or(true, |only| only.split(',').any(|one| one == part))
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
        if wanted("seal") {
            seal::measure(&harness, &mut table).await;
        }
        if wanted("stream") {
            stream::measure(&harness, &mut table).await;
        }
        if wanted("size") {
            size::measure(&harness, &mut table).await;
        }
        table.print();
        harness.stop().await;
    });
}
