//! Runs in turns: what is compared runs one after the other, again and again, so that a slow minute of
//! the machine meets all of it.

use std::time::{Duration, Instant};

use super::{Cpu, number};

/// What one run gave.
#[derive(Clone, Copy, Debug, Default)]
pub struct Run {
    /// In the unit of the figure: operations a second, mostly.
    pub value: f64,
    pub p50_ms: f64,
    pub p99_ms: f64,
    /// An operation's microseconds of CPU.
    pub cpu_us: Cpu,
}

impl Run {
    pub fn of(value: f64) -> Self {
        Self { value, ..Self::default() }
    }

    /// Operations that took so long each, all of them `within` this time.
    pub fn of_operations(mut took: Vec<Duration>, within: Duration, used: Cpu) -> Self {
        took.sort_unstable();
        let at = |hundredth: usize| took[(took.len() - 1) * hundredth / 100].as_secs_f64() * 1e3;
        let count = took.len() as f64;
        Self {
            value: count / within.as_secs_f64(),
            p50_ms: at(50),
            p99_ms: at(99),
            cpu_us: used * (1e6 / count),
        }
    }
}

/// The runs of one figure, in their order.
#[derive(Clone, Debug, Default)]
pub struct Series(Vec<Run>);

impl Series {
    pub fn median(&self, of: impl Fn(&Run) -> f64) -> f64 {
        median(self.0.iter().map(of).collect())
    }

    /// The median of the turns' ratios.
    pub fn ratio(&self, other: &Self) -> f64 {
        self.ratios(other).median
    }

    /// Over another's run of the same turn.
    pub(super) fn ratios(&self, other: &Self) -> Spread {
        let pairs = self.0.iter().zip(&other.0);
        Spread::of(pairs.map(|(ours, theirs)| ours.value / theirs.value).collect())
    }

    /// Each run's value, changed.
    #[must_use]
    pub fn map(&self, change: impl Fn(f64) -> f64) -> Self {
        Self(self.0.iter().map(|run| Run { value: change(run.value), ..*run }).collect())
    }
}

/// The lowest, the median and the highest of some runs.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Spread {
    pub lowest: f64,
    pub median: f64,
    pub highest: f64,
}

impl Spread {
    fn of(values: Vec<f64>) -> Self {
        let (first, last) = (f64::INFINITY, f64::NEG_INFINITY);
        Self {
            lowest: values.iter().copied().fold(first, f64::min),
            highest: values.iter().copied().fold(last, f64::max),
            median: median(values),
        }
    }
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_unstable_by(f64::total_cmp);
    let half = values.len() / 2;
    if values.len() % 2 == 1 { values[half] } else { f64::midpoint(values[half - 1], values[half]) }
}

/// `LETHE_BENCH_TURNS` (5) turns; in each, `run` is called with 0 to `N` - 1.
pub async fn in_turns<const N: usize>(run: impl AsyncFnMut(usize) -> Run) -> [Series; N] {
    in_turns_for(Duration::ZERO, run).await
}

/// The same, with as many turns more as this time takes. The last ones count.
pub async fn in_turns_for<const N: usize>(
    least: Duration,
    run: impl AsyncFnMut(usize) -> Run,
) -> [Series; N] {
    let count = usize::try_from(number("LETHE_BENCH_TURNS", 5).max(1)).unwrap();
    turns(count, least, run).await
}

/// The same, with another number of turns.
pub async fn turns<const N: usize>(
    count: usize,
    least: Duration,
    mut run: impl AsyncFnMut(usize) -> Run,
) -> [Series; N] {
    let began = Instant::now();
    let mut series = [const { Series(Vec::new()) }; N];
    while series[0].0.len() < count || began.elapsed() < least {
        for (who, series) in series.iter_mut().enumerate() {
            series.0.push(run(who).await);
        }
    }
    for Series(runs) in &mut series {
        runs.drain(..runs.len() - count);
    }
    series
}

#[test]
fn a_ratio_is_one_of_the_same_turn() {
    let series = |values: [f64; 3]| Series(values.map(Run::of).to_vec());

    let ratios = series([10.0, 1.0, 30.0]).ratios(&series([10.0, 2.0, 10.0]));

    assert_eq!(ratios, Spread { lowest: 0.5, median: 1.0, highest: 3.0 });
}

#[tokio::test]
async fn what_is_compared_runs_in_turns() {
    let mut order = Vec::new();

    let [first, second] = turns(5, Duration::ZERO, async |who| {
        order.push(who);
        Run::of(order.len() as f64)
    })
    .await;

    assert_eq!(order, [0, 1].repeat(5));
    assert_eq!((first.median(|run| run.value), second.median(|run| run.value)), (5.0, 6.0));
}
