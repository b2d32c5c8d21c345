//! Replays against the bare database, each with a ratio measured in the same run.
//!
//! `LETHE_BENCH_EVENTS` is how many events the log is seeded with (1,000,000), `LETHE_BENCH_TURNS`
//! how often each figure is taken (3): the best of each counts.

mod harness;
mod rivals;
#[path = "../append/table.rs"]
mod table;

use harness::Harness;
use infra::log::{Projection, Reader, ReplayOptions, rehearse, replay};
use projections::accounts::Accounts;
use projections::audit_trail::AuditTrail;
use projections::sessions::Sessions;
use table::Table;
use tokio::sync::watch;
use uuid::Uuid;

fn set(name: &str, default: i64) -> i64 {
    std::env::var(name).ok().and_then(|set| set.parse().ok()).unwrap_or(default)
}

fn main() {
    // The server ends with the thread that started it, so that is this one.
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let harness = Harness::start().await;
        let (events, took) = harness.seed(set("LETHE_BENCH_EVENTS", 1_000_000)).await;
        let rate = events as f64 / took.as_secs_f64();
        println!("{events} events seeded, {rate:.0} events/s with {} cores", cores());
        let owner = harness.owner().await;
        for tidy in ["vacuum analyze event_log.events", "checkpoint"] {
            owner.batch_execute(tidy).await.unwrap();
        }
        let mut table = Table::default();
        measure::<Accounts>(&harness, &mut table).await;
        measure::<Sessions>(&harness, &mut table).await;
        measure::<AuditTrail>(&harness, &mut table).await;
        table.print();
        harness.stop().await;
    });
}

fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

async fn measure<P: Projection>(harness: &Harness, rows: &mut Table) {
    let (reading, mut writing) = (harness.owner().await, harness.owner().await);
    let reader = Reader::projection::<P>();
    let mut best = [0.0_f64; 4];
    for _ in 0..set("LETHE_BENCH_TURNS", 3) {
        let taken = [
            rivals::select::<P>(&reading).await,
            into_nothing(harness, &reader).await,
            rivals::by_hand::<P>(&reading, &mut writing).await,
            into_a_table(harness, &reader).await,
        ];
        for (best, taken) in best.iter_mut().zip(taken) {
            *best = best.max(taken);
        }
    }
    let [select, nothing, hand, table] = best;
    let what = |what: &str| format!("replay {} {what}", P::NAME);
    rows.row(&what("into nothing: bare select"), nothing, select, Some(0.9), "events/s");
    rows.row(&what("into a table: by hand"), table, hand, Some(0.8), "events/s");
}

async fn into_nothing(harness: &Harness, reader: &Reader) -> f64 {
    let rehearsed = rehearse(&harness.pool, reader).await.unwrap();
    rehearsed.events as f64 / rehearsed.took.as_secs_f64()
}

async fn into_a_table(harness: &Harness, reader: &Reader) -> f64 {
    let (_keep, cancel) = watch::channel(false);
    let options = ReplayOptions::of(Uuid::from_u128(1));
    let replayed = replay(&harness.pool, reader, options, cancel, |_| {}).await.unwrap();
    replayed.events as f64 / replayed.took.as_secs_f64()
}
