//! What came of the faults: how many there were of each kind, what the three questions found, and the longest wait.

use std::collections::BTreeMap;
use std::fmt;

use super::questions::{ShownState, Wait, stuck};
use super::record::Hundredths;
use super::schedule::FaultKind;
use super::settle::STUCK_AFTER;

#[derive(Default)]
pub struct Report {
    by_kind: BTreeMap<&'static str, OfKind>,
    /// By how it ended.
    endings: BTreeMap<String, usize>,
    /// Of the lane that is at work.
    pub states: Vec<ShownState>,
    pub lies: Vec<String>,
    pub doubles: Vec<String>,
    pub stuck: Vec<String>,
    /// Attempts that began.
    pub begun: usize,
    /// Lost runs that were looked for earlier than they are without a test.
    pub hastened: u64,
}

#[derive(Clone, Copy, Default)]
struct OfKind {
    faults: usize,
    happened: usize,
    runs: usize,
    longest: Hundredths,
}

impl Report {
    pub fn count(&mut self, kind: FaultKind, has_happened: bool) {
        let of = self.by_kind.entry(kind.name()).or_default();
        of.faults += 1;
        of.happened += usize::from(has_happened);
    }

    pub fn note(&mut self, kind: FaultKind, wait: Wait) {
        let of = self.by_kind.entry(kind.name()).or_default();
        of.runs += 1;
        of.longest = of.longest.max(wait.took().unwrap_or_default());
        self.stuck.extend(stuck(&[wait], STUCK_AFTER));
    }

    /// The states of a lane that has come to its end.
    pub fn take_states(&mut self) -> Vec<ShownState> {
        for state in &self.states {
            let word = |name: &str| state.ending[name].as_str().unwrap_or_default();
            let failure = state.ending["failure"]["kind"].as_str().unwrap_or_default();
            let ending = format!("{} {}{failure}", word("kind"), word("why"));
            *self.endings.entry(ending.trim_end().to_owned()).or_default() += 1;
        }
        std::mem::take(&mut self.states)
    }

    pub fn add(&mut self, other: Self) {
        for (name, more) in other.by_kind {
            let of = self.by_kind.entry(name).or_default();
            of.faults += more.faults;
            of.happened += more.happened;
            of.runs += more.runs;
            of.longest = of.longest.max(more.longest);
        }
        for (ending, count) in other.endings {
            *self.endings.entry(ending).or_default() += count;
        }
        self.lies.extend(other.lies);
        self.doubles.extend(other.doubles);
        self.stuck.extend(other.stuck);
        self.begun += other.begun;
        self.hastened += other.hastened;
    }

    /// How many there were, and how many of them came to it.
    pub fn faults(&self) -> (usize, usize) {
        let all = || self.by_kind.values();
        (all().map(|of| of.faults).sum(), all().map(|of| of.happened).sum())
    }

    /// Everything that must not be.
    pub fn findings(&self) -> Vec<&String> {
        self.lies.iter().chain(&self.doubles).chain(&self.stuck).collect()
    }
}

impl fmt::Display for Report {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            to,
            "{:<12} {:>6} {:>8} {:>5} {:>9}",
            "fault", "count", "happened", "runs", "longest"
        )?;
        for (name, of) in &self.by_kind {
            let OfKind { faults, happened, runs, longest } = of;
            let longest = *longest as f64 / 100.0;
            writeln!(to, "{name:<12} {faults:>6} {happened:>8} {runs:>5} {longest:>7.1} s")?;
        }
        for (ending, count) in &self.endings {
            writeln!(to, "{count:>6} {ending}")?;
        }
        let (faults, _) = self.faults();
        let runs: usize = self.by_kind.values().map(|of| of.runs).sum();
        let longest = self.by_kind.values().map(|of| of.longest).max().unwrap_or_default();
        let longest = longest as f64 / 100.0;
        let Self { begun, hastened, lies, doubles, stuck, .. } = self;
        write!(
            to,
            "{faults} faults, {runs} runs, {begun} attempts that began, {hastened} searches hastened: \
             {} lies, {} doubles, {} stuck; longest {longest:.1} s after the fault",
            lies.len(),
            doubles.len(),
            stuck.len(),
        )
    }
}
