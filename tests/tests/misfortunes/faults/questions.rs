//! What is asked once everything has ended: whether a state lies, whether something was started twice, and whether
//! something is stuck.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::Value;

use super::record::{Entry, Hundredths, Step};

/// What is to end a command that does not end by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stop {
    Cancel,
    Deadline,
}

/// A run as it was shown when nobody looked for it any more.
#[derive(Clone, Debug)]
pub struct ShownState {
    pub fault: String,
    pub run: String,
    /// The last attempt.
    pub task: String,
    /// As the API has it.
    pub ending: Value,
    /// What became of what might have been left.
    pub settled: Value,
    pub requested: Hundredths,
    pub at: Hundredths,
    pub stop: Option<Stop>,
}

/// How long a run took to end once the fault was over.
#[derive(Clone, Debug)]
pub struct Wait {
    pub fault: String,
    pub run: String,
    pub healed: Hundredths,
    pub ended: Option<Hundredths>,
}

impl Wait {
    pub fn took(&self) -> Option<Hundredths> {
        self.ended.map(|ended| ended.saturating_sub(self.healed))
    }
}

/// The states that the record, or what was done, does not agree with.
pub fn lies(states: &[ShownState], entries: &[Entry], reboots: &[Hundredths]) -> Vec<String> {
    let lie = |state: &ShownState| {
        let own = entries.iter().filter(|entry| entry.task == state.task);
        let own: Vec<&Entry> = own.collect();
        let was_rebooted = reboots.iter().any(|at| (state.requested..=state.at).contains(at));
        let why = not_so(state, &own, was_rebooted).or_else(|| not_gone(state, &own))?;
        let noted: Vec<_> = own.iter().filter(|entry| entry.step != Step::Beat).collect();
        Some(format!("{}: {}: {why}: {state:?}, of {noted:?}", state.fault, state.run))
    };
    states.iter().filter_map(lie).collect()
}

fn not_so(state: &ShownState, own: &[&Entry], was_rebooted: bool) -> Option<&'static str> {
    let ending = &state.ending;
    let code = own.iter().find_map(|entry| match entry.step {
        Step::End(code) => Some(u64::from(code)),
        Step::Begin | Step::Beat => None,
    });
    match text(&ending["kind"]) {
        "succeeded" => (code != Some(0)).then_some("it has not noted 0"),
        "failed" => {
            let failure = &ending["failure"];
            let noted = failure["code"].as_u64().filter(|code| *code != 0);
            match text(&failure["kind"]) {
                "exit" => (noted.is_none() || code != noted).then_some("it has not noted the code"),
                "not_started" => (!own.is_empty()).then_some("it was started"),
                _ => Some("nobody has sent it a signal"),
            }
        }
        "cancelled" => (state.stop != Some(Stop::Cancel)).then_some("nobody has cancelled it"),
        "timed_out" => (state.stop != Some(Stop::Deadline)).then_some("its time was not over"),
        "lost" => match text(&ending["why"]) {
            "unreachable" => None,
            "rebooted" => (!was_rebooted).then_some("its server was not rebooted"),
            _ => Some("nobody has taken anything of it away"),
        },
        _ => Some("it has not ended"),
    }
}

/// It is said to be over, and notes something after that.
fn not_gone(state: &ShownState, own: &[&Entry]) -> Option<&'static str> {
    let ending = &state.ending;
    let is_over = match text(&ending["kind"]) {
        "lost" => ending["why"] != "unreachable",
        "cancelled" | "timed_out" => ending["proven"] == true,
        _ => true,
    };
    let is_gone = is_over || state.settled == "proven_gone";
    let goes_on = own.iter().any(|entry| entry.at > state.at);
    (is_gone && goes_on).then_some("it went on")
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

/// Attempts that began twice, and those of one group that were at work at the same time.
pub fn doubles(entries: &[Entry]) -> Vec<String> {
    let mut begins: BTreeMap<&str, usize> = BTreeMap::new();
    let mut groups: BTreeMap<&str, BTreeMap<&str, (Hundredths, Hundredths)>> = BTreeMap::new();
    for Entry { at, group, task, step } in entries {
        if *step == Step::Begin {
            *begins.entry(task).or_default() += 1;
        }
        let times = groups.entry(group).or_default().entry(task).or_insert((*at, *at));
        *times = (times.0.min(*at), times.1.max(*at));
    }
    let twice = begins.iter().filter(|(_, count)| **count > 1);
    let mut found: Vec<String> =
        twice.map(|(task, count)| format!("{task} began {count} times")).collect();
    for (group, tasks) in &groups {
        let tasks: Vec<_> = tasks.iter().collect();
        for (at, (one, times)) in tasks.iter().enumerate() {
            let beside = tasks[at + 1..].iter().filter(|(_, other)| overlap(**times, **other));
            found.extend(beside.map(|(other, _)| format!("{group}: {one} beside {other}")));
        }
    }
    found
}

const fn overlap(one: (Hundredths, Hundredths), other: (Hundredths, Hundredths)) -> bool {
    one.0 < other.1 && other.0 < one.1
}

/// The runs that had not ended so long after the fault was over.
pub fn stuck(waits: &[Wait], within: Duration) -> Vec<String> {
    let is_late =
        |wait: &&Wait| wait.took().is_none_or(|took| u128::from(took) * 10 > within.as_millis());
    let late = waits.iter().filter(is_late);
    late.map(|wait| format!("{}: {} took {:?}", wait.fault, wait.run, wait.took())).collect()
}
