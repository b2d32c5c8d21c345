//! Nothing grows with past erasures, with the people of the past or with the queue: what a node does in a
//! large installation reads no more than in an empty one, and takes no longer.

mod acts;
mod fill;
mod plans;
mod shards;

use std::collections::BTreeSet;
use std::fmt::{Display, Formatter};
use std::time::{Duration, Instant};

use acts::{Inner, erasures_end, idle, ready, settle, start, timed};
use fill::{
    Sizes, TABLES, end_lost_attempts, erase_beside, fill_tasks, fill_ten_tasks, filled, is_large,
};
use plans::{Plans, Scan};
use tests::bench::{Goal, Run, Series, Table, turns};
use tests::{Installation, TestServer, until};
use tokio_postgres::Client;

/// What one statement may read of a table: gauges count up to 10,000 rows of a kind.
const ROWS_MAX: f64 = 11_000.0;
const RATIO_MAX: f64 = 1.2;
/// Of the 99th percentile of appends, while something else is done in batches.
const P99_RATIO_MAX: f64 = 2.0;
/// Medians of times that differ by less are the same: some round trips on a machine that is not quiet. To read 10,000 rows
/// more takes longer.
const NOISE_MS: f64 = 2.0;
/// The same of times that end with a look every 10 ms.
const LOOK_MS: f64 = 10.0;
/// The same of 99th percentiles: one more tick of the scheduler.
const P99_NOISE_MS: f64 = 4.0;
/// Of one figure: one alone takes less than what times differ by on a machine that is not quiet.
const CLAIMS: usize = 20;
const QUEUED: &str = "lethe_runs{state=\"queued\"} 1000";

#[tokio::test(flavor = "multi_thread")]
async fn nothing_grows_with_what_was_done_before() {
    let _alone = tests::alone().await;
    let mut table = Table::default();
    let since = Instant::now();
    let large = filled(Sizes::wanted()).await;
    table.figure("tables filled, in s", since.elapsed().as_secs_f64(), Goal::None, "");

    let plans = Plans::watch(&large).await;
    serve_once(&large).await;
    assert_bounded(stop_watching(&large, plans).await, &TABLES);
    let sides = [large, filled(Sizes::NEARLY_NONE).await];
    let mut compared = Box::pin(served(sides.each_ref(), &mut table)).await;
    // From here on the servers take runs: a node would work.
    for side in &sides {
        end_lost_attempts(side).await;
        erase_beside(side).await;
    }
    let plans = Plans::watch(&sides[0]).await;
    Box::pin(act_once(&sides[0])).await;
    let tables = ["reservations", "run_tasks", "run_secrets"];
    assert_bounded(stop_watching(&sides[0], plans).await, &tables);
    compared.extend(Box::pin(acted(sides.each_ref(), &mut table)).await);
    table.print();
    let exceeding = compared.iter().filter(|compared| compared.exceeds());
    let exceeding: Vec<String> = exceeding.map(ToString::to_string).collect();
    assert!(!is_large() || exceeding.is_empty(), "more than the bound: {exceeding:#?}");
}

/// What is asserted in the large size.
struct Compared {
    what: String,
    ratio: f64,
    ratio_max: f64,
    more_ms: f64,
    noise_ms: f64,
}

impl Compared {
    fn exceeds(&self) -> bool {
        self.ratio > self.ratio_max && self.more_ms > self.noise_ms
    }
}

impl Display for Compared {
    fn fmt(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        let Self { what, ratio, ratio_max, more_ms, .. } = self;
        write!(f, "{what}: {ratio:.2} times, at most {ratio_max}; {more_ms:.1} ms more")
    }
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
    departures_end(large).await;
    node.stop().await;
}

/// Who was erased is not looked for any longer.
async fn departures_end(large: &Installation) {
    let log = large.log().await;
    until("no departure is left", async || {
        let left = log.query_one("select count(*) from working.departures", &[]).await.unwrap();
        match left.get::<_, i64>(0) {
            0 => Ok(()),
            left => Err(left),
        }
    })
    .await;
}

async fn act_once(large: &Installation) {
    let inner = Inner::of(large).await;
    inner.claim().await;
    inner.move_reservations().await;
    inner.rotate().await;
    if !is_large() {
        // The large size measures it later.
        inner.release().await;
    }
}

/// The runs come last in each turn.
async fn gauges_are_refreshed(node: &TestServer) {
    until("the gauges are refreshed", async || {
        let metrics = reqwest::get(node.metrics()).await.unwrap().text().await.unwrap();
        metrics.contains(QUEUED).then_some(()).ok_or(metrics)
    })
    .await;
}

/// What a whole node does.
async fn served(sides: [&Installation; 2], table: &mut Table) -> Vec<Compared> {
    let count = count();
    let started = turns(2 * count, Duration::ZERO, async |who| {
        let mut node = None;
        let run = timed(async { node = Some(start(sides[who]).await) }).await;
        node.unwrap().stop().await;
        run
    });
    let started = row(table, "start until ready", &started.await, LOOK_MS);
    let nodes = [start(sides[0]).await, start(sides[1]).await];
    let asked = async |who: usize| timed(ready(&nodes[who])).await;
    let asked = turns(20 * count, Duration::ZERO, asked).await;
    let asked = row(table, "/readyz", &asked, NOISE_MS);
    // The median leaves out what a start has to do. It is shown, and not compared.
    let worked = turns(count.max(3), Duration::ZERO, async |who| idle(sides[who], watched()).await);
    row(table, "PostgreSQL for an idle node, in a second", &worked.await, NOISE_MS);
    let mut people = 0;
    let erased = turns(3 * count, Duration::ZERO, async |who| {
        people += 1;
        let person = settle(sides[who], &nodes[who], &format!("person{people}")).await;
        let run = timed(person.erase(sides[who])).await;
        erasures_end(sides[who]).await;
        run
    });
    let what = "erasure, from the command until the keys are erased";
    let erased = row(table, what, &erased.await, LOOK_MS);
    for node in nodes {
        node.stop().await;
    }
    vec![started, asked, erased]
}

/// Parts of it, without a node.
async fn acted(sides: [&Installation; 2], table: &mut Table) -> Vec<Compared> {
    let [large, small] = sides;
    let inner = [Inner::of(large).await, Inner::of(small).await];
    let count = 3 * count();
    let log = small.log().await;
    // The first on a connection is planned.
    claim_often(&inner[0], None).await;
    claim_often(&inner[1], Some(&log)).await;
    let claimed = async |who: usize| claim_often(&inner[who], (who == 1).then_some(&log)).await;
    let claimed = turns(count, Duration::ZERO, claimed).await;
    let claimed = row(table, "20 claims of 8 tasks (the empty one has 10)", &claimed, NOISE_MS);
    // A gauge counts 10,000 at most.
    fill_tasks(small, Sizes::SMALL.tasks).await;
    end_lost_attempts(small).await;
    for side in &inner {
        side.refresh_gauges().await;
        assert!(side.gauges().contains(QUEUED), "{}", side.gauges());
    }
    let refreshed = async |who: usize| timed(inner[who].refresh_gauges()).await;
    let refreshed = turns(2 * count, Duration::ZERO, refreshed).await;
    let refreshed = row(table, "all gauges refreshed", &refreshed, NOISE_MS);
    let moved = async |who: usize| {
        timed(async { assert!(inner[who].move_reservations().await, "all have moved") }).await
    };
    let moved = turns(count, Duration::ZERO, moved).await;
    let moved = row(table, "2,000 reservations moved", &moved, NOISE_MS);
    let rotated = async |who: usize| timed(inner[who].rotate()).await;
    let rotated = turns(count, Duration::ZERO, rotated).await;
    let rotated = row(table, "root key replaced, 16,384 shard keys", &rotated, NOISE_MS);
    let mut compared = vec![claimed, refreshed, moved, rotated];
    compared.extend(Box::pin(beside_appends(&inner[0], table)).await);
    compared
}

/// In milliseconds, of [`CLAIMS`] claims. `ten`: ten tasks wait there before each.
async fn claim_often(inner: &Inner, ten: Option<&Client>) -> Run {
    let mut took = Duration::ZERO;
    for _ in 0..CLAIMS {
        if let Some(log) = ten {
            fill_ten_tasks(log).await;
        }
        took += inner.claim().await;
    }
    Run::of(took.as_secs_f64() * 1e3)
}

fn count() -> usize {
    if is_large() { 5 } else { 1 }
}

/// In the large size, gauges are refreshed twice meanwhile.
fn watched() -> Duration {
    Duration::from_secs(if is_large() { 20 } else { 2 })
}

/// Compares the medians of the turns.
fn row(table: &mut Table, what: &str, [large, small]: &[Series; 2], noise_ms: f64) -> Compared {
    let (goal, ratio_max) = (Goal::AtMost(RATIO_MAX), RATIO_MAX);
    table.row(&format!("{what}, ms: in an empty one"), large, small, goal, "");
    let median = |series: &Series| series.median(|run| run.value);
    let (what, ratio) = (what.to_owned(), large.ratio(small));
    Compared { what, ratio, ratio_max, more_ms: median(large) - median(small), noise_ms }
}

/// What is done in batches, while others append.
async fn beside_appends(inner: &Inner, table: &mut Table) -> Vec<Compared> {
    let move_on = async {
        let moved = inner.move_for(watched()).await;
        format!("{moved} of them")
    };
    let moved = beside(inner, "addresses move to the next key", move_on, table).await;
    let rotate = async {
        let rotated = inner.erase_and_rotate().await;
        assert!(rotated.keys > 0, "none was in the shard of the erased one: {rotated:?}");
        format!("{} shard keys, and {} keys beside an erased one", rotated.shards, rotated.keys)
    };
    let mut compared = vec![moved, beside(inner, "the root key is replaced", rotate, table).await];
    if is_large() {
        let release = async {
            inner.release().await;
            String::from("all of them")
        };
        compared.push(beside(inner, "old reservations are deleted", release, table).await);
    }
    // Takes longest.
    let copy = async { format!("{:.1} MB", inner.copy().await as f64 / 1e6) };
    compared.push(beside(inner, "the whole keyring is copied", copy, table).await);
    compared
}

/// Work that says what it has done. Compares the 99th percentiles of appends, during it and before it.
async fn beside(
    inner: &Inner,
    what: &str,
    work: impl Future<Output = String>,
    table: &mut Table,
) -> Compared {
    let mut elapsed = tokio::time::interval(watched());
    elapsed.tick().await;
    let quiet = inner.append_during(elapsed.tick()).await;
    let (mut took, mut done) = (Run::default(), String::new());
    // On the heap: it may be large.
    let work = Box::pin(work);
    let busy = inner.append_during(async { took = timed(async { done = work.await }).await });
    let (busy, quiet) = (busy.await.p99_ms, quiet.p99_ms);
    let seconds = took.value / 1e3;
    let note = format!("p99 {busy:.1} ms against {quiet:.1} ms; {done} in {seconds:.1} s");
    let what = format!("appends while {what}: p99, times that before");
    let (ratio, ratio_max) = (busy / quiet, P99_RATIO_MAX);
    table.figure(&what, ratio, Goal::AtMost(ratio_max), &note);
    Compared { what, ratio, ratio_max, more_ms: busy - quiet, noise_ms: P99_NOISE_MS }
}

#[test]
fn a_time_exceeds_its_bound_only_if_it_differs_by_more_than_the_noise() {
    let exceeds = |ratio, more_ms| {
        let (what, ratio_max, noise_ms) = (String::new(), RATIO_MAX, NOISE_MS);
        Compared { what, ratio, ratio_max, more_ms, noise_ms }.exceeds()
    };

    assert!(exceeds(1.3, 3.0));
    assert!(!exceeds(1.3, 1.0), "of a few milliseconds");
    assert!(!exceeds(1.1, 100.0), "of some seconds");
}
