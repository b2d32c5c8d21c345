//! Replays against the bare database, and what the follower of the audit trail writes.
//!
//! `LETHE_BENCH_EVENTS` is how many events the log is seeded with (1,000,000), `LETHE_BENCH_TURNS`
//! how often each is replayed (5).

mod follow;
mod harness;
mod rivals;

use harness::Harness;
use infra::log::{Projection, Reader, ReplayOptions, rehearse, replay};
use projections::accounts::Accounts;
use projections::audit_trail::AuditTrail;
use projections::sessions::Sessions;
use tests::bench::{Goal, Run, Table, in_turns, number};
use tokio::sync::watch;
use uuid::Uuid;

fn main() {
    // The server ends with the thread that started it, so that is this one.
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let harness = Harness::start().await;
        let events = i64::try_from(number("LETHE_BENCH_EVENTS", 1_000_000)).unwrap();
        let (events, took) = harness.seed(events).await;
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
        follow::follow(&harness, &owner, Reader::projection::<AuditTrail>()).await;
        harness.stop().await;
    });
}

fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

async fn measure<P: Projection>(harness: &Harness, rows: &mut Table) {
    let (reading, mut writing) = (harness.owner().await, harness.owner().await);
    let reader = Reader::projection::<P>();
    let [nothing, select, table, hand] = in_turns(async |who| {
        Run::of(match who {
            0 => into_nothing(harness, &reader).await,
            1 => rivals::select::<P>(&reading).await,
            2 => into_a_table(harness, &reader).await,
            _ => rivals::by_hand::<P>(&reading, &mut writing).await,
        })
    })
    .await;
    let what = |what: &str| format!("replay {} {what}, events/s", P::NAME);
    rows.row(&what("into nothing: bare select"), &nothing, &select, Goal::AtLeast(1.2), "");
    rows.row(&what("into a table: bare select"), &table, &select, Goal::None, "");
    rows.row(&what("into a table: by hand"), &table, &hand, Goal::AtLeast(0.8), "");
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
