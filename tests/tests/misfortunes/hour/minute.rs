//! What was seen in a minute, and whether the last ones differ from the first.

use std::collections::BTreeMap;
use std::time::Duration;

use tests::{Harness, Installation, Usage};

use super::load::{ACTS, Load};

const SIZES: &str = "select format('%s.%s', schemaname, relname), pg_total_relation_size(relid)
    from pg_stat_user_tables";
const CONNECTIONS: &str = "select count(*) from pg_stat_activity
    where application_name like 'lethe%' and datname = current_database()";
/// Their rows stay as many: what they take does not grow with the log.
const STEADY: [&str; 7] = [
    "working.seat_leases",
    "working.leader_leases",
    "working.closings",
    "working.run_tasks",
    "working.departures",
    "readers.checkpoints",
    "keyring.copy",
];
/// Dead rows are there until the next vacuum.
const DEAD_BYTES_MAX: f64 = 1e6;
const DRIFT_MAX: f64 = 1.05;
/// Of which a minute has thousands.
const FREQUENT: [&str; 2] = ["command", "read"];
/// Of their 99th percentile. Of 3,600 reads in a minute 36 are slower, give or take 6: with a tail that falls off
/// exponentially this moves it by 4 %, and the median of twelve minutes by 1 %. The rest is for what one in a hundred
/// waits for: a core that hashes a password, a checkpoint, a vacuum, of which a minute has more or fewer.
const P99_DRIFT_MAX: f64 = 1.2;
/// One more tick of the scheduler for one in a hundred is no drift.
const P99_ALLOWANCE_MS: f64 = 4.0;
/// Until then caches fill.
const WARM_UP: usize = 10;

#[derive(Clone, Debug, Default)]
pub struct Minute {
    /// Each by what it is of.
    figures: BTreeMap<String, Figure>,
}

/// What is compared, and what it may grow by without a fault: it is one only beyond both.
#[derive(Clone, Copy, Debug)]
struct Figure {
    value: f64,
    drift_max: f64,
    allowance: f64,
}

impl Minute {
    pub async fn look(harness: &Harness, load: &Load) -> Self {
        let installation = &harness.installation;
        let mut minute = Self::default();
        minute.note("memory, MB", Usage::of(harness.node.pid()).megabytes, 0.0);
        for (act, mut took) in load.take() {
            took.sort_unstable();
            minute.note(&format!("{act}: p50, ms"), at(&took, 50), 0.0);
            minute.note_p99(act, at(&took, 99));
        }
        minute.look_at_databases(installation).await;
        minute
    }

    async fn look_at_databases(&mut self, installation: &Installation) {
        let (log, keyring) = (installation.log().await, installation.keyring().await);
        let head = "select max(position) from event_log.events";
        let events = log.query_one(head, &[]).await.unwrap().get::<_, i64>(0) as f64;
        let mut connections = 0;
        for client in [&log, &keyring] {
            connections += client.query_one(CONNECTIONS, &[]).await.unwrap().get::<_, i64>(0);
            for row in client.query(SIZES, &[]).await.unwrap() {
                let (table, bytes): (String, i64) = (row.get(0), row.get(1));
                let bytes = bytes as f64;
                if STEADY.contains(&table.as_str()) {
                    self.note(&format!("{table}, bytes"), bytes, DEAD_BYTES_MAX);
                } else {
                    let what = format!("{table}, bytes an event");
                    self.note(&what, bytes / events, DEAD_BYTES_MAX / events);
                }
            }
        }
        self.note("connections", connections as f64, 0.0);
    }

    fn note(&mut self, what: &str, value: f64, allowance: f64) {
        let figure = Figure { value, drift_max: DRIFT_MAX, allowance };
        self.figures.insert(what.to_owned(), figure);
    }

    /// Shown, and not compared, of others than the frequent: one in a hundred is too few of a minute's seats and
    /// registrations.
    fn note_p99(&mut self, act: &str, value: f64) {
        let is_frequent = FREQUENT.contains(&act);
        let allowance = if is_frequent { P99_ALLOWANCE_MS } else { f64::INFINITY };
        let figure = Figure { value, drift_max: P99_DRIFT_MAX, allowance };
        self.figures.insert(format!("{act}: p99, ms"), figure);
    }

    /// Whether every act was seen, and the tables of both databases.
    pub fn is_whole(&self) -> bool {
        let has = |what: &str| self.figures.keys().any(|of| of.starts_with(what));
        ACTS.iter().all(|act| has(act)) && STEADY.iter().all(|table| has(table))
    }

    pub fn print(&self, number: usize) {
        let named = |what: &&String| !what.contains(", bytes");
        let shown = self.figures.iter().filter(|(what, _)| named(what));
        let shown: Vec<String> =
            shown.map(|(what, figure)| format!("{what} {:.1}", figure.value)).collect();
        println!("minute {number}: {}", shown.join("; "));
    }
}

fn at(sorted: &[Duration], hundredth: usize) -> f64 {
    sorted[(sorted.len() - 1) * hundredth / 100].as_secs_f64() * 1e3
}

/// What is more in the last minutes than after the first ten, by over 5 % or [`P99_DRIFT_MAX`]: a median of each.
pub fn drifts(minutes: &[Minute]) -> Vec<String> {
    let warm = &minutes[WARM_UP.min(minutes.len() / 4)..];
    let some = (warm.len() / 4).max(1);
    let (first, last) = (&warm[..some], &warm[warm.len() - some..]);
    let drift = |(what, now): (&String, &Figure)| {
        let (before, after) = (median(first, what)?, median(last, what)?);
        let is_more = after > before * now.drift_max && after > before + now.allowance;
        is_more.then(|| format!("{what}: {after:.3} after {before:.3}"))
    };
    last[last.len() - 1].figures.iter().filter_map(drift).collect()
}

fn median(minutes: &[Minute], what: &str) -> Option<f64> {
    let figures = minutes.iter().filter_map(|minute| minute.figures.get(what));
    let mut values: Vec<f64> = figures.map(|figure| figure.value).collect();
    values.sort_unstable_by(f64::total_cmp);
    values.get(values.len() / 2).copied()
}

#[test]
fn what_grows_by_more_than_a_twentieth_is_a_drift() {
    let minutes: Vec<Minute> = (0..60_u32)
        .map(|number| {
            let mut minute = Minute::default();
            let number = f64::from(number);
            minute.note("grows", 100.0 + number / 5.0, 0.0);
            minute.note("grows, and may", 100.0 + number / 5.0, 20.0);
            minute.note("grows first", 100.0 + number.min(10.0), 0.0);
            minute.note("falls", 100.0 - number, 0.0);
            minute
        })
        .collect();

    let drifts = drifts(&minutes);

    let [drift] = &drifts[..] else { panic!("{drifts:?}") };
    assert!(drift.starts_with("grows: "), "{drift}");
}

#[test]
fn the_slowest_commands_and_reads_are_compared_and_the_slowest_seats_are_not() {
    let minutes: Vec<Minute> = (0..60_u32)
        .map(|number| {
            let mut minute = Minute::default();
            let number = f64::from(number);
            minute.note_p99("command", 100.0 + number / 4.0);
            minute.note_p99("read", 100.0 + number);
            minute.note_p99("seat", 100.0 + number);
            minute
        })
        .collect();

    let drifts = drifts(&minutes);

    let [drift] = &drifts[..] else { panic!("{drifts:?}") };
    assert!(drift.starts_with("read: p99"), "{drift}");
}
