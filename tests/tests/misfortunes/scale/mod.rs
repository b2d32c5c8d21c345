//! Nothing grows with past erasures, with the people of the past or with the queue: what a node does in a
//! large installation reads no more than in an empty one, and takes no longer.

mod acts;
mod fill;
mod plans;

use std::collections::BTreeSet;
use std::time::Duration;

use acts::{Inner, idle, ready, settle, start, timed};
use fill::{Sizes, TABLES, end_lost_attempts, fill_tasks, filled};
use plans::{Plans, Scan};
use tests::bench::{Goal, Run, Series, Table, turns};
use tests::{Installation, TestServer, until};

/// What one statement may read of a table: gauges count up to 10,000 rows of a kind.
const ROWS_MAX: f64 = 11_000.0;
const GOAL: Goal = Goal::AtMost(1.2);
/// In the large size. Gauges are refreshed every ten seconds.
const WATCHED: Duration = Duration::from_secs(20);

#[tokio::test(flavor = "multi_thread")]
async fn nothing_grows_with_what_was_done_before() {
    let _alone = tests::alone().await;
    let large = filled(Sizes::wanted()).await;

    let plans = Plans::watch(&large).await;
    serve_once(&large).await;
    assert_bounded(stop_watching(&large, plans).await, &TABLES);
    let sides = [large, filled(Sizes::NEARLY_NONE).await];
    let mut table = Table::default();
    served(sides.each_ref(), &mut table).await;
    // From here on the servers take runs: a node would work.
    fill_tasks(&sides[1], Sizes::SMALL.tasks).await;
    for side in &sides {
        end_lost_attempts(side).await;
    }
    let plans = Plans::watch(&sides[0]).await;
    act_once(&sides[0]).await;
    let tables = ["reservations", "run_tasks", "run_secrets"];
    assert_bounded(stop_watching(&sides[0], plans).await, &tables);
    acted(sides.each_ref(), &mut table).await;
    table.print();
}

/// What is done with `tables`, of which no statement may read as much as there is.
fn assert_bounded(scans: Vec<Scan>, tables: &[&str]) {
    let (control, scans): (Vec<Scan>, Vec<Scan>) =
        scans.into_iter().partition(|scan| scan.statement.contains("as control"));
    assert!(is_unbounded(&control[0]), "what counts a whole table is not seen: {control:?}");
    let seen: BTreeSet<&str> = scans.iter().map(|scan| scan.table.as_str()).collect();
    assert!(tables.iter().all(|table| seen.contains(table)), "not everything was done: {seen:?}");
    let unbounded = scans.iter().filter(|scan| is_unbounded(scan));
    let unbounded: BTreeSet<String> = unbounded.map(ToString::to_string).collect();
    let list: Vec<String> = unbounded.into_iter().collect();
    assert!(list.is_empty(), "these read as much as there is:\n{}", list.join("\n"));
}

/// More of a table that grows than a gauge counts, or all of it.
fn is_unbounded(scan: &Scan) -> bool {
    let grows = TABLES.contains(&scan.table.as_str());
    grows && (scan.rows > ROWS_MAX || scan.node == "Seq Scan")
}

async fn stop_watching(large: &Installation, plans: Plans) -> Vec<Scan> {
    let keyring = large.keyring().await;
    let control = "select count(*) as control from keyring.keys";
    keyring.execute(control, &[]).await.unwrap();
    drop(keyring);
    plans.stop().await
}

/// Everything that a node does.
async fn serve_once(large: &Installation) {
    let node = start(large).await;
    gauges_are_refreshed(&node).await;
    settle(large, &node, "ada").await.erase(large).await;
    node.stop().await;
}

async fn act_once(large: &Installation) {
    let mut inner = Inner::of(large).await;
    inner.claim().await;
    inner.move_reservations().await;
    if !tests::long() {
        // The large size measures it later.
        inner.release().await;
    }
}

/// The runs come last in each turn.
async fn gauges_are_refreshed(node: &TestServer) {
    until("the gauges are refreshed", async || {
        let metrics = reqwest::get(node.metrics()).await.unwrap().text().await.unwrap();
        metrics.contains("lethe_runs{state=\"queued\"} 10000").then_some(()).ok_or(metrics)
    })
    .await;
}

/// What a whole node does.
async fn served(sides: [&Installation; 2], table: &mut Table) {
    let count = count();
    let started = turns(count, Duration::ZERO, async |who| {
        let mut node = None;
        let run = timed(async { node = Some(start(sides[who]).await) }).await;
        node.unwrap().stop().await;
        run
    });
    row(table, "start until ready", &started.await);
    let nodes = [start(sides[0]).await, start(sides[1]).await];
    let asked = async |who: usize| timed(ready(&nodes[who])).await;
    row(table, "/readyz", &turns(20 * count, Duration::ZERO, asked).await);
    let time = if tests::long() { WATCHED } else { Duration::from_secs(2) };
    // The median leaves out what a start has to do.
    let worked = turns(count.max(3), Duration::ZERO, async |who| idle(sides[who], time).await);
    row(table, "PostgreSQL for an idle node, in a second", &worked.await);
    let mut people = 0;
    let erased = turns(count, Duration::ZERO, async |who| {
        people += 1;
        let person = settle(sides[who], &nodes[who], &format!("person{people}")).await;
        timed(person.erase(sides[who])).await
    });
    row(table, "erasure, from the command until the keys are erased", &erased.await);
    for node in nodes {
        node.stop().await;
    }
}

/// Parts of it, without a node.
async fn acted(sides: [&Installation; 2], table: &mut Table) {
    let [large, small] = sides;
    let mut inner = [Inner::of(large).await, Inner::of(small).await];
    for side in &inner {
        // The first on a connection is planned.
        side.claim().await;
    }
    let claimed = async |who: usize| timed(inner[who].claim()).await;
    let claimed = turns(3 * count(), Duration::ZERO, claimed).await;
    row(table, "8 tasks claimed and finished", &claimed);
    let moved = async |who: usize| timed(inner[who].move_reservations()).await;
    row(table, "2,000 reservations moved", &turns(count(), Duration::ZERO, moved).await);
    if tests::long() {
        release(&inner[0], WATCHED, table).await;
    }
}

fn count() -> usize {
    if tests::long() { 5 } else { 1 }
}

fn row(table: &mut Table, what: &str, [large, small]: &[Series; 2]) {
    table.row(&format!("{what}, ms: in an empty one"), large, small, GOAL, "");
}

/// Reservations are deleted while others append.
async fn release(inner: &Inner, time: Duration, table: &mut Table) {
    let mut elapsed = tokio::time::interval(time);
    elapsed.tick().await;
    let quiet = inner.append_during(elapsed.tick()).await;
    let mut took = Run::default();
    let busy = inner.append_during(async { took = timed(inner.release()).await }).await;
    let note = format!(
        "p99 {:.1} ms against {:.1} ms, for {:.0} ms",
        busy.p99_ms, quiet.p99_ms, took.value
    );
    let what = "appends while old reservations are deleted: p99, times that before";
    table.figure(what, busy.p99_ms / quiet.p99_ms, Goal::AtMost(2.0), &note);
}
