//! What it costs to watch servers every 30 seconds: CPU, memory and descriptors of Lethe, and of one beside it with no
//! server to watch.
//!
//! `LETHE_BENCH_SERVERS` says how many servers, one size after the other (`25,100`), `LETHE_BENCH_SECONDS` for how long
//! the node is looked at with each (30: one look at each server). With `100,1000` most of the time goes into
//! registering, as each approval of a key hashes a password; and there are 1,000 processes of sshd then.

mod harness;

use std::time::Instant;

use harness::Harness;
use tests::bench::{Goal, Table, seconds};
use tests::{Installation, TestServer, Usage};

/// The default of `monitor_seconds`.
const EVERY: f64 = 30.0;

fn main() {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    runtime.block_on(measure());
}

async fn measure() {
    let sizes = sizes();
    let installation = harness::installation(sizes.last().copied().unwrap_or_default()).await;
    let harness = Harness::on(&installation).await;
    let quiet = Installation::with(&[("log", "warn")]).await;
    let idle = quiet.node().await;
    let mut table = Table::default();
    let mut watched = 0;
    for size in sizes {
        let began = Instant::now();
        harness.watch(watched..size).await;
        println!("{watched} to {size} servers: registered and reached in {:.0?}", began.elapsed());
        watched = size;
        look(size, &harness, &idle, &mut table).await;
    }
    table.print();
    idle.stop().await;
    harness.close().await;
}

/// At both for the same time.
async fn look(size: usize, harness: &Harness, idle: &TestServer, table: &mut Table) {
    let used = || [harness.node.pid(), idle.pid()].map(Usage::of);
    let (earlier, before, since) = (harness.samples().await, used(), Instant::now());
    let mut turns = tokio::time::interval(seconds(30));
    turns.tick().await;
    turns.tick().await;
    let (after, elapsed) = (used(), since.elapsed().as_secs_f64());
    let samples = harness.samples().await - earlier;
    let expected = size as f64 * elapsed / EVERY;
    let [watching, nothing] = [0, 1].map(|who: usize| {
        let cpu = (after[who].seconds - before[who].seconds) / elapsed * 100.0;
        (cpu, after[who].megabytes)
    });
    let what = |figure: &str| format!("{size} servers watched every 30 s: {figure}");
    let losses = harness.losses().await;
    let seen = format!(
        "with none {:.2}; {samples} samples of {expected:.0}, {losses} times unreachable",
        nothing.0
    );
    table.figure(&what("CPU, % of a core"), watching.0, Goal::None, &seen);
    let with_none = format!("with none {:.1}", nothing.1);
    table.figure(&what("memory, MB"), watching.1, Goal::None, &with_none);
    let with_none = format!("with none {:.0}", descriptors(idle));
    table.figure(&what("descriptors"), descriptors(&harness.node), Goal::None, &with_none);
}

fn descriptors(node: &TestServer) -> f64 {
    std::fs::read_dir(format!("/proc/{}/fd", node.pid())).unwrap().count() as f64
}

/// In order.
fn sizes() -> Vec<usize> {
    let set = std::env::var("LETHE_BENCH_SERVERS").unwrap_or_else(|_| "25,100".to_owned());
    let mut sizes: Vec<usize> = set.split(',').map(|size| size.trim().parse().unwrap()).collect();
    sizes.sort_unstable();
    sizes
}
