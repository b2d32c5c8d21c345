//! A command on a server, from its output to a stored, masked, sealed log and to whoever watches,
//! against plain `ssh host command` on the same server.

mod harness;
mod plain;

use std::time::{Duration, Instant};

use harness::Harness;
use plain::Plain;
use tests::bench::{Cpu, Goal, Run, Table, in_turns};

const LINES: u32 = 2_000_000;
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
    let [ours, theirs] = in_turns(async |who| {
        let since = Instant::now();
        if who == 0 {
            assert_eq!(harness.run(&chatty).await["lines"], LINES);
        } else {
            assert_eq!(plain.lines(&chatty), u64::from(LINES));
        }
        Run::of(f64::from(LINES) / since.elapsed().as_secs_f64())
    })
    .await;
    let note = "asked, run, masked, sealed, its log closed with its hash";
    table.row("lines a second: ssh host seq", &ours, &theirs, Goal::None, note);

    // The moment stands in the line itself: both clocks are one.
    let ticking =
        format!("i=0; while [ $i -lt {TICKS} ]; do i=$((i+1)); date +%s%N; sleep 0.01; done");
    let [ours, theirs] = in_turns(async |who| {
        let delays = match who {
            0 => harness.delays(&ticking).await,
            _ => plain.delays(&ticking),
        };
        assert!(delays.len() * 10 > TICKS as usize * 9, "{} of {TICKS}", delays.len());
        let within = delays.iter().sum();
        let run = Run::of_operations(delays, within, Cpu::default());
        Run { value: run.p50_ms, ..run }
    })
    .await;
    let note = "written on the server, stored, and read from the event stream";
    table.row("line to watcher, p50 in ms: ssh host command", &ours, &theirs, Goal::None, note);
    table.print();
    harness.close().await;
}

/// How long ago it was written.
fn delay(line: &str) -> Option<Duration> {
    let nanos: u64 = line.trim().parse().ok()?;
    std::time::UNIX_EPOCH.elapsed().ok()?.checked_sub(Duration::from_nanos(nanos))
}
