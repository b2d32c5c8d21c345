//! `pgbench` on the same server: the log's row, one insert a commit, nothing checked.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use infra::postgres::{ConnectOptions, binaries, connect_one};
use tokio_postgres::config::Host;

use crate::Stat;

use super::{Cpu, CpuMeter, Run};

const TABLE: &str = include_str!("pgbench_table.sql");
const INSERT: &str = include_str!("pgbench_insert.sql");

pub struct Pgbench {
    database: tokio_postgres::Config,
    script: PathBuf,
    meter: CpuMeter,
}

impl Pgbench {
    /// Makes its table in the log's database: the log's columns, keys and indexes, in one piece.
    pub async fn new(log_url: &str, folder: &Path) -> Self {
        let client = connect_one(log_url, &ConnectOptions::unlimited()).await.unwrap();
        client.batch_execute(TABLE).await.unwrap();
        let script = folder.join("insert.sql");
        std::fs::write(&script, INSERT).unwrap();
        let meter = CpuMeter::of(&client, &[]).await;
        Self { database: log_url.parse().unwrap(), script, meter }
    }

    pub fn meter(&self) -> &CpuMeter {
        &self.meter
    }

    /// Commits a second.
    pub async fn run(&self, clients: usize, time: Duration) -> Run {
        let Host::Unix(socket) = &self.database.get_hosts()[0] else {
            panic!("a private server has a socket")
        };
        // Its time begins before its connections are open: some ten milliseconds for each.
        let seconds = time.as_secs() + u64::try_from(clients).unwrap() / 100;
        let mut pgbench = Command::new(binaries::find(None).unwrap().join("pgbench"));
        pgbench
            .args(["--no-vacuum", "--protocol=prepared", "--host", &socket.display().to_string()])
            .args(["--username", self.database.get_user().unwrap()])
            .args(["--client", &clients.to_string(), "--jobs", &clients.min(2).to_string()])
            .args(["--time", &seconds.to_string()])
            .arg("--file")
            .arg(&self.script)
            .arg(self.database.get_dbname().unwrap());
        let (before, ended) = (self.meter.read(), own_children());
        let output = tokio::task::spawn_blocking(move || pgbench.output()).await.unwrap().unwrap();
        let used = Cpu { asking: own_children() - ended, ..self.meter.read() - before };
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "pgbench: {said}");
        let output = String::from_utf8_lossy(&output.stdout).into_owned();
        let value = |name: &str| {
            let value = output.lines().find_map(|line| line.strip_prefix(name));
            let value = value.and_then(|value| value.split([' ', '/']).next()?.parse::<f64>().ok());
            value.unwrap_or_else(|| panic!("no {name:?} in {output}"))
        };
        let count = value("number of transactions actually processed: ");
        Run { cpu_us: used * (1e6 / count), ..Run::of(value("tps = ")) }
    }
}

/// CPU seconds of what this process has started and waited for.
fn own_children() -> f64 {
    Stat::of(std::process::id()).unwrap().ended
}
