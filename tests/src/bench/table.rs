//! What was measured, what it was measured against, and what was hoped for.

use super::{Cpu, Series};

/// What a ratio, or a figure of ours alone, should be.
#[derive(Clone, Copy, Debug)]
pub enum Goal {
    None,
    AtLeast(f64),
    AtMost(f64),
}

impl Goal {
    fn judge(self, value: f64) -> String {
        let (what, bound, met) = match self {
            Self::None => return String::new(),
            Self::AtLeast(bound) => ("at least", bound, value >= bound),
            Self::AtMost(bound) => ("at most", bound, value <= bound),
        };
        format!("{what} {}: {}", number(bound), if met { "met" } else { "missed" })
    }
}

#[derive(Default)]
pub struct Table(Vec<[String; 8]>);

impl Table {
    /// Both in the same unit; the goal is for the median of the turns' ratios.
    pub fn row(&mut self, what: &str, ours: &Series, theirs: &Series, goal: Goal, note: &str) {
        let ratios = ours.ratios(theirs);
        let value = |series: &Series| number(series.median(|run| run.value));
        self.add([
            what.to_owned(),
            value(ours),
            value(theirs),
            format!("{:.2}", ratios.median),
            format!("{:.2} to {:.2}", ratios.lowest, ratios.highest),
            goal.judge(ratios.median),
            cpu(ours, theirs),
            [latency(ours).as_str(), note].join(" ").trim().to_owned(),
        ]);
    }

    /// A figure of ours alone.
    pub fn figure(&mut self, what: &str, ours: f64, goal: Goal, note: &str) {
        let [what, said] = [what, note].map(str::to_owned);
        let [no, ratio, spread, cpu] = [(); 4].map(|()| String::new());
        self.add([what, number(ours), no, ratio, spread, goal.judge(ours), cpu, said]);
    }

    fn add(&mut self, row: [String; 8]) {
        println!("  {}", row.join("; "));
        self.0.push(row);
    }

    pub fn print(&self) {
        let heads = ["what", "Lethe", "against", "ratio", "of the turns", "goal", "CPU us", ""];
        println!("\n| {} |\n|---|---:|---:|---:|---|---|---|---|", heads.join(" | "));
        for row in &self.0 {
            println!("| {} |", row.join(" | "));
        }
    }
}

/// Ours and PostgreSQL's for it, against the other's.
fn cpu(ours: &Series, theirs: &Series) -> String {
    let of = |series: &Series| Cpu {
        asking: series.median(|run| run.cpu_us.asking),
        postgres: series.median(|run| run.cpu_us.postgres),
    };
    let shown = |cpu: Cpu| format!("{:.0} + {:.0}", cpu.asking, cpu.postgres);
    let (ours, theirs) = (of(ours), of(theirs));
    if ours.postgres + theirs.postgres > 0.0 {
        format!("{}, against {}", shown(ours), shown(theirs))
    } else {
        String::new()
    }
}

fn latency(ours: &Series) -> String {
    let (p50, p99) = (ours.median(|run| run.p50_ms), ours.median(|run| run.p99_ms));
    if p99 > 0.0 { format!("p50 {p50:.2} ms, p99 {p99:.2} ms") } else { String::new() }
}

fn number(of: f64) -> String {
    if of >= 100.0 { format!("{of:.0}") } else { format!("{of:.2}") }
}
