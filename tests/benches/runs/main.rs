//! A command on a server, from its output to a stored, masked, sealed log and to whoever watches,
//! against plain `ssh host command` on the same server.

mod harness;
mod plain;
#[path = "../append/table.rs"]
mod table;

use std::time::{Duration, Instant};

use harness::Harness;
use plain::Plain;
use table::Table;

const LINES: u32 = 5_000_000;
const TICKS: u32 = 400;

fn main() {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    runtime.block_on(measure());
}

async fn measure() {
    let harness = Harness::open().await;
    let plain = Plain::of(&harness.runs.sshd);
    let mut table = Table::default();

    let chatty = format!("seq 1 {LINES}");
    let since = Instant::now();
    assert_eq!(plain.lines(&chatty), u64::from(LINES));
    let theirs = f64::from(LINES) / since.elapsed().as_secs_f64();
    let since = Instant::now();
    let log = harness.run(&chatty).await;
    let ours = f64::from(LINES) / since.elapsed().as_secs_f64();
    assert_eq!(log["lines"], LINES);
    let note = "asked, run, masked, sealed, its log closed with its hash";
    table.row("lines a second: ssh host seq", ours, theirs, None, note);

    // The moment stands in the line itself: both clocks are one.
    let ticking =
        format!("i=0; while [ $i -lt {TICKS} ]; do i=$((i+1)); date +%s%N; sleep 0.01; done");
    let theirs = Spread::of(plain.delays(&ticking));
    let ours = Spread::of(harness.delays(&ticking).await);
    for (name, ours, theirs) in
        [("p50", ours.at(50), theirs.at(50)), ("p99", ours.at(99), theirs.at(99))]
    {
        let what = format!("line to watcher, {name}, ms: ssh host command");
        let note = "written on the server, stored, and read from the event stream";
        table.row(&what, ours, theirs, None, note);
    }
    table.print();
    harness.close().await;
}

struct Spread(Vec<Duration>);

impl Spread {
    fn of(mut delays: Vec<Duration>) -> Self {
        assert!(delays.len() * 10 > TICKS as usize * 9, "{} of {TICKS}", delays.len());
        delays.sort_unstable();
        Self(delays)
    }

    /// In milliseconds.
    fn at(&self, hundredth: usize) -> f64 {
        self.0[(self.0.len() - 1) * hundredth / 100].as_secs_f64() * 1e3
    }
}

/// How long ago it was written.
fn delay(line: &str) -> Option<Duration> {
    let nanos: u64 = line.trim().parse().ok()?;
    std::time::UNIX_EPOCH.elapsed().ok()?.checked_sub(Duration::from_nanos(nanos))
}
