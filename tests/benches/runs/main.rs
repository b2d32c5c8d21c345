//! A command on a server, from its output to a stored, masked, sealed log and to whoever watches,
//! against plain `ssh host command` on the same server.
//!
//! `LETHE_BENCH_LINES` is how many lines the command of the first part writes (2,000,000), `LETHE_BENCH_TICKS` how many
//! the watched one, a hundredth of a second apart (400), `LETHE_BENCH_TURNS` how often both are looked at (5), and
//! `LETHE_BENCH_ONLY` one of the parts: `lines` or `watcher`.

mod harness;
mod plain;

use std::time::{Duration, Instant};

use harness::Harness;
use plain::Plain;
use tests::bench::{Cpu, Goal, Run, Table, in_turns, number, wanted};

fn main() {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    runtime.block_on(measure());
}

async fn measure() {
    let harness = Harness::open().await;
    let plain = Plain::of(&harness.runs.sshd);
    let mut table = Table::default();
    if wanted("lines") {
        lines(&harness, &plain, &mut table).await;
    }
    if wanted("watcher") {
        watcher(&harness, &plain, &mut table).await;
    }
    table.print();
    harness.close().await;
}

async fn lines(harness: &Harness, plain: &Plain<'_>, table: &mut Table) {
    let lines = number("LETHE_BENCH_LINES", 2_000_000);
    let chatty = format!("seq 1 {lines}");
    let [ours, theirs] = in_turns(async |who| {
        let since = Instant::now();
        if who == 0 {
            assert_eq!(harness.run(&chatty).await["lines"], lines);
        } else {
            assert_eq!(plain.lines(&chatty), lines);
        }
        Run::of(lines as f64 / since.elapsed().as_secs_f64())
    })
    .await;
    let note = "asked, run, masked, sealed, its log closed with its hash";
    table.row("lines a second: ssh host seq", &ours, &theirs, Goal::AtLeast(0.6), note);
}

async fn watcher(harness: &Harness, plain: &Plain<'_>, table: &mut Table) {
    let ticks = number("LETHE_BENCH_TICKS", 400);
    // The moment stands in the line itself: both clocks are one.
    let ticking =
        format!("i=0; while [ $i -lt {ticks} ]; do i=$((i+1)); date +%s%N; sleep 0.01; done");
    let [ours, theirs] = in_turns(async |who| {
        let delays = match who {
            0 => harness.delays(&ticking).await,
            _ => plain.delays(&ticking),
        };
        assert!(delays.len() as u64 * 10 > ticks * 9, "{} of {ticks}", delays.len());
        let within = delays.iter().sum();
        Run::of_operations(delays, within, Cpu::default())
    })
    .await;
    let note = |theirs: f64| {
        format!("written, stored, and read from the event stream; ssh host command: {theirs:.2}")
    };
    let (p50, p99) = (|run: &Run| run.p50_ms, |run: &Run| run.p99_ms);
    let said = note(theirs.median(p50));
    table.figure("line to watcher, p50 in ms", ours.median(p50), Goal::AtMost(10.0), &said);
    let said = note(theirs.median(p99));
    table.figure("line to watcher, p99 in ms", ours.median(p99), Goal::AtMost(25.0), &said);
}

/// How long ago it was written.
fn delay(line: &str) -> Option<Duration> {
    let nanos: u64 = line.trim().parse().ok()?;
    std::time::UNIX_EPOCH.elapsed().ok()?.checked_sub(Duration::from_nanos(nanos))
}
