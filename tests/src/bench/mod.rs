//! What the benchmarks share: runs in turns, what they use, `pgbench`, and the table of figures.

mod cpu;
mod figures;
mod pgbench;
mod table;

use std::time::Duration;

pub use cpu::{Cpu, CpuMeter};
pub use figures::{Run, Series, in_turns, in_turns_for, turns};
pub use pgbench::Pgbench;
pub use table::{Goal, Table};

/// How long one run of a figure takes: `LETHE_BENCH_SECONDS`.
pub fn seconds(otherwise: u64) -> Duration {
    Duration::from_secs(number("LETHE_BENCH_SECONDS", otherwise).max(1))
}

/// Whether this part is wanted: `LETHE_BENCH_ONLY` names them, with commas between; all without it.
pub fn wanted(part: &str) -> bool {
    std::env::var("LETHE_BENCH_ONLY").map_or(true, |only| only.split(',').any(|one| one == part))
}

/// A size that this variable of the environment may set.
pub fn number(variable: &str, otherwise: u64) -> u64 {
    std::env::var(variable).ok().and_then(|set| set.parse().ok()).unwrap_or(otherwise)
}
