//! Appends a second, sealed and checked: against one insert a commit, and against the horizon.

use std::time::Duration;

use crate::callers::{Caller, sign_in_for};
use crate::harness::Harness;
use crate::table::Table;
use crate::{rival, seconds};

const CALLERS: [(usize, f64); 4] = [(1, 0.65), (8, 0.9), (64, 2.0), (256, 2.5)];

pub async fn measure(harness: &Harness, table: &mut Table, commits_delayed: Duration) {
    let how = if commits_delayed.is_zero() { "local" } else { "5 ms" };
    println!("appends, commits {how}");
    rival::prepare(harness).await;
    let nodes = [harness.node("log").await, harness.node("log").await];
    let others = [harness.node("horizon").await, harness.node("horizon").await];
    harness.delay_commits(commits_delayed).await;
    for (callers, goal) in CALLERS {
        let bare = rival::inserts(harness, callers, seconds()).await;
        for (count, nodes_used) in [(1, "1 node"), (2, "2 nodes")] {
            if count > callers {
                continue;
            }
            let people = Caller::come_all(&nodes[..count], &harness.ids, callers).await;
            let ours = sign_in_for(people, seconds()).await;
            let people = Caller::come_all(&others[..count], &harness.ids, callers).await;
            let horizon = sign_in_for(people, seconds()).await;
            let goal = (commits_delayed.is_zero() && count == 1).then_some(goal);
            let what = format!("append, {callers} callers, {nodes_used}, {how} commits");
            let note = format!(
                "p50 {:.2} ms, p99 {:.2} ms, {:.0} us CPU",
                ours.p50_ms, ours.p99_ms, ours.cpu_us
            );
            table.row(&format!("{what}: pgbench"), ours.each_second, bare, goal, &note);
            let what = format!("{what}: horizon");
            table.row(&what, ours.each_second, horizon.each_second, None, "");
        }
    }
    harness.delay_commits(Duration::ZERO).await;
}
