//! Faults of nodes, networks and servers while runs run: no state says what is not so, nothing is started twice, and
//! nothing waits for ever. What the commands did stands on a record of their own, on their machine.

mod acts;
mod controls;
mod lane;
mod proxy;
mod questions;
mod record;
mod report;
mod schedule;
mod settle;

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Instant;

use futures_util::future::join_all;
use test_support::{Machine, MachineOptions};
use tests::bench::number;
use tests::{TestServer, until};

use lane::Lane;
use questions::{doubles, lies};
use record::Step;
use report::Report;
use schedule::{Fault, schedule};
use settle::is_settled;

const LANES: usize = 4;
/// Then another installation begins: a seat is leased for an hour.
const FAULTS_OF_LANE_MAX: usize = 25;

/// Five hundred with `LETHE_LONG=1`.
fn faults() -> usize {
    if tests::long() { 500 } else { 10 }
}

impl Lane {
    /// One fault, until everything that it met has ended.
    async fn suffer(&self, node: TestServer, fault: &Fault, report: &mut Report) -> TestServer {
        let nodes = self.prepare(node, fault).await;
        let (runs, (nodes, has_happened)) =
            tokio::join!(self.request_runs(fault), self.befall(nodes, fault));
        report.count(fault.kind, has_happened);
        self.settle(fault, runs, report).await;
        if let Some(other) = nodes.other {
            assert!(other.stop().await.success(), "{fault:?}");
        }
        nodes.node
    }

    /// Asks the questions once no node has anything to do any more.
    async fn finish(self, node: TestServer, report: &mut Report) {
        if !self.is_idle().await {
            report.stuck.push("tasks of runs are left".to_owned());
        }
        let states = report.take_states();
        for state in &states {
            let shown = until("it is shown", async || self.show(&state.run).await).await;
            if shown["servers"][0]["ending"] != state.ending || !is_settled(&shown) {
                report.lies.push(format!("{state:?} has become {shown}"));
            }
        }
        let record = self.record();
        report.begun += record.iter().filter(|entry| entry.step == Step::Begin).count();
        report.lies.extend(lies(&states, &record, &self.reboots.lock().unwrap()));
        report.doubles.extend(doubles(&record));
        assert!(node.stop().await.success());
    }
}

/// Takes one fault after the other, as long as there are any.
async fn work_through(number: usize, away: &Arc<Machine>, rest: &Mutex<VecDeque<Fault>>) -> Report {
    let next = || rest.lock().unwrap().pop_front();
    let (mut report, mut turn) = (Report::default(), 0);
    while let Some(first) = next() {
        turn += 1;
        let (lane, mut node) = Lane::start(format!("{number}.{turn}"), away).await;
        let faults = std::iter::once(first).chain(std::iter::from_fn(next));
        for fault in faults.take(FAULTS_OF_LANE_MAX) {
            node = lane.suffer(node, &fault, &mut report).await;
        }
        lane.finish(node, &mut report).await;
    }
    report
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_befalls_runs_no_state_lies_nothing_starts_twice_and_nothing_is_stuck() {
    let _alone = tests::alone().await;
    let (count, seed) = (faults(), number("LETHE_FAULTS_SEED", 1));
    let Some(away) = Machine::start(&MachineOptions::default()) else { return };
    let (away, since) = (Arc::new(away), Instant::now());
    let rest = Mutex::new(VecDeque::from(schedule(seed, count)));

    let lanes = (0..LANES).map(|number| work_through(number, &away, &rest));
    let mut report = Report::default();
    for of_lane in join_all(lanes).await {
        report.add(of_lane);
    }

    println!("{report}, seed {seed}, {:.0} s", since.elapsed().as_secs_f64());
    let (faults, happened) = report.faults();
    assert_eq!(faults, count);
    assert!(happened * 10 >= faults * 9, "only {happened} of {faults} have happened");
    assert!(report.begun > 0, "no command has noted anything");
    let findings = report.findings();
    assert!(findings.is_empty(), "seed {seed}: {findings:#?}");
}
