//! `pgbench` on the same server: the log's row, one insert a commit, nothing checked.

use std::process::Command;
use std::time::Duration;

use infra::postgres::binaries;
use tests::Installation;
use tokio_postgres::config::Host;

const RIVAL_TABLE: &str = include_str!("../append/rival_table.sql");
const RIVAL_INSERT: &str = include_str!("../append/rival_insert.sql");

/// The log's columns, keys and indexes, in one piece.
pub async fn prepare(installation: &Installation) {
    installation.log().await.batch_execute(RIVAL_TABLE).await.unwrap();
}

/// Commits a second.
pub async fn inserts(installation: &Installation, clients: usize, time: Duration) -> f64 {
    let url: tokio_postgres::Config = installation.log_url().parse().unwrap();
    let Host::Unix(socket) = &url.get_hosts()[0] else { panic!("a private server has a socket") };
    let script = installation.folder().join("insert.sql");
    std::fs::write(&script, RIVAL_INSERT).unwrap();
    let mut pgbench = Command::new(binaries::find(None).unwrap().join("pgbench"));
    pgbench
        .args(["--no-vacuum", "--protocol=prepared", "--host", &socket.display().to_string()])
        .args(["--username", url.get_user().unwrap(), "--jobs", "2"])
        .args(["--client", &clients.to_string(), "--time", &time.as_secs().to_string()])
        .arg("--file")
        .arg(&script)
        .arg(url.get_dbname().unwrap());
    let output = tokio::task::spawn_blocking(move || pgbench.output()).await.unwrap().unwrap();
    let output = String::from_utf8_lossy(&output.stdout).into_owned();
    let rate = output.lines().find_map(|line| line.strip_prefix("tps = "));
    let rate = rate.and_then(|rate| rate.split(' ').next()).unwrap_or_else(|| panic!("{output}"));
    rate.parse().unwrap()
}
