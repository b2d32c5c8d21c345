//! What was measured, what it was measured against, and what was hoped for.

#[derive(Default)]
pub struct Table(Vec<[String; 6]>);

impl Table {
    /// `ours` and `theirs` in the same unit; `goal` is the least that their ratio should be.
    pub fn row(&mut self, what: &str, ours: f64, theirs: f64, goal: Option<f64>, note: &str) {
        let ratio = ours / theirs;
        let met = goal.map_or(String::new(), |goal| {
            let met = if ratio >= goal { "met" } else { "missed" };
            format!("{goal:.2} {met}")
        });
        let cells = [number(ours), number(theirs), format!("{ratio:.2}"), met, note.to_owned()];
        let [ours, theirs, ratio, met, note] = cells;
        println!("  {what}: {ours} against {theirs}, {ratio} {met} {note}");
        self.0.push([what.to_owned(), ours, theirs, ratio, met, note]);
    }

    pub fn print(&self) {
        let heads = ["what", "Lethe", "against", "ratio", "goal", ""].map(str::to_owned);
        println!("\n| {} |\n|---|---:|---:|---:|---|---|", heads.join(" | "));
        for row in &self.0 {
            println!("| {} |", row.join(" | "));
        }
    }
}

fn number(of: f64) -> String {
    if of >= 100.0 { format!("{of:.0}") } else { format!("{of:.2}") }
}
