//! `pgbench`: the same row, one insert a commit, nothing checked.

use std::io::Write;
use std::process::Command;
use std::time::Duration;

use crate::harness::Harness;

const RIVAL_TABLE: &str = include_str!("rival_table.sql");
const RIVAL_INSERT: &str = include_str!("rival_insert.sql");

/// The table that it fills: the log's columns, keys and indexes, in one piece.
pub async fn prepare(harness: &Harness) {
    harness.owner("log").await.batch_execute(RIVAL_TABLE).await.unwrap();
}

/// Commits a second.
pub async fn inserts(harness: &Harness, clients: usize, time: Duration) -> f64 {
    let script = harness.script();
    let mut pgbench = Command::new(harness.bin.join("pgbench"));
    pgbench
        .args(["--no-vacuum", "--protocol=prepared", "--host", &harness.socket()])
        .args(["--username", &harness.user()])
        .args(["--client", &clients.to_string(), "--jobs", &clients.min(2).to_string()])
        .args(["--time", &time.as_secs().to_string()])
        .arg("--file")
        .arg(&script)
        .arg("log");
    let output = tokio::task::spawn_blocking(move || pgbench.output()).await.unwrap().unwrap();
    let output = String::from_utf8_lossy(&output.stdout).into_owned();
    let rate = output.lines().find_map(|line| line.strip_prefix("tps = "));
    let rate = rate.and_then(|rate| rate.split(' ').next()).unwrap_or_else(|| panic!("{output}"));
    rate.parse().unwrap()
}

impl Harness {
    fn script(&self) -> std::path::PathBuf {
        let path = self.path("insert.sql");
        let mut file = std::fs::File::create(&path).unwrap();
        file.write_all(RIVAL_INSERT.as_bytes()).unwrap();
        path
    }
}
