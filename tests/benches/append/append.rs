//! Appends a second, sealed and checked: against one insert a commit, and against the horizon.

use std::time::Duration;

use tests::bench::{Goal, Table, in_turns};

use crate::callers::{Caller, sign_in_for};
use crate::harness::Harness;
use crate::seconds;

const CALLERS: [(usize, f64); 4] = [(1, 0.68), (8, 0.95), (64, 2.7), (256, 4.5)];
const P99_MS_MAX: f64 = 5.0;
const P99_CALLERS: usize = 64;

pub async fn measure(harness: &Harness, table: &mut Table, commits_delayed: Duration) {
    let how = if commits_delayed.is_zero() { "local" } else { "5 ms" };
    println!("appends, commits {how}");
    let pgbench = harness.pgbench().await;
    let nodes = [harness.node("log").await, harness.node("log").await];
    let others = [harness.node("horizon").await, harness.node("horizon").await];
    harness.delay_commits(commits_delayed).await;
    for (callers, goal) in CALLERS {
        for (count, nodes_used) in [(1, "1 node"), (2, "2 nodes")] {
            if count > callers {
                continue;
            }
            let [ours, horizon, bare] = in_turns(async |who| {
                let nodes = match who {
                    0 => &nodes[..count],
                    1 => &others[..count],
                    _ => return pgbench.run(callers, seconds()).await,
                };
                let people = Caller::come_all(nodes, &harness.ids, callers).await;
                sign_in_for(people, seconds(), &harness.meter).await
            })
            .await;
            let local = commits_delayed.is_zero() && count == 1;
            let goal = if local { Goal::AtLeast(goal) } else { Goal::None };
            let what = format!("append, {callers} callers, {nodes_used}, {how} commits");
            table.row(&format!("{what}: pgbench"), &ours, &bare, goal, "");
            if local && callers == P99_CALLERS {
                let p99 = ours.median(|run| run.p99_ms);
                table.figure(&format!("{what}: p99, ms"), p99, Goal::AtMost(P99_MS_MAX), "");
            }
            table.row(&format!("{what}: horizon"), &ours, &horizon, Goal::None, "");
        }
    }
    harness.delay_commits(Duration::ZERO).await;
}
