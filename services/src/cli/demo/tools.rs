//! Dumps and copies, made and put back with PostgreSQL's own programmes.

use std::path::{Path, PathBuf};
use std::process::Stdio;

use infra::postgres::{Cluster, ClusterOptions, binaries, running};
use tokio::process::Command;

use super::home::Home;
use crate::cli::CliError;
use crate::databases::{KEYRING, LOG};

/// The folder of the binaries that run the server.
pub struct Tools(PathBuf);

/// A dump of both databases, and of the roles that own what is in them.
pub struct Dumps {
    pub roles: PathBuf,
    pub log: PathBuf,
    pub keyring: PathBuf,
}

impl Tools {
    pub async fn find(home: &Home) -> Result<Self, CliError> {
        let data = home.cluster().join("data");
        let found = tokio::task::spawn_blocking(move || binaries::find(Some(&data))).await;
        Ok(Self(found.map_err(CliError::failed)?.map_err(CliError::failed)?))
    }

    pub async fn dump(&self, home: &Home, into: &Path) -> Result<Dumps, CliError> {
        std::fs::create_dir_all(into)?;
        let dumps = Dumps {
            roles: into.join("roles.sql"),
            log: into.join("events.sql"),
            keyring: into.join("keys.sql"),
        };
        let log = url(home, LOG)?;
        self.run("pg_dumpall", &["--roles-only"], &log, &dumps.roles).await?;
        self.run("pg_dump", &[], &log, &dumps.log).await?;
        self.run("pg_dump", &[], &url(home, KEYRING)?, &dumps.keyring).await?;
        Ok(dumps)
    }

    /// Puts dumps back into a server of its own in `home`, and stops it again.
    pub async fn restore(&self, home: &Home, log: &Dumps, keyring: &Dumps) -> Result<(), CliError> {
        std::fs::create_dir_all(home.data())?;
        let options = ClusterOptions::default();
        let cluster = Cluster::start(&self.0, &home.cluster(), options).await;
        let cluster = cluster.map_err(CliError::failed)?;
        for database in [LOG, KEYRING] {
            cluster.create_database(database).await?;
        }
        // The superuser is among the roles, and is there already: that one error is expected.
        self.feed(&cluster.url(LOG), &log.roles, false).await?;
        self.feed(&cluster.url(LOG), &log.log, true).await?;
        self.feed(&cluster.url(KEYRING), &keyring.keyring, true).await?;
        cluster.stop(std::time::Duration::from_mins(1)).await.map_err(CliError::failed)
    }

    async fn run(
        &self,
        program: &str,
        words: &[&str],
        url: &str,
        to: &Path,
    ) -> Result<(), CliError> {
        let mut command = Command::new(self.0.join(program));
        command.args(words).arg("--dbname").arg(url).arg("--file").arg(to);
        finish(command, program).await
    }

    async fn feed(&self, url: &str, file: &Path, strict: bool) -> Result<(), CliError> {
        let mut command = Command::new(self.0.join("psql"));
        command.args(["--no-psqlrc", "--quiet", "--dbname", url, "--file"]).arg(file);
        if strict {
            command.args(["--set", "ON_ERROR_STOP=1"]);
        }
        command.stdout(Stdio::null());
        finish(command, "psql").await
    }
}

/// As a backup of the whole disk does it: owners, modes and times included.
pub async fn copy(from: &Path, to: &Path) -> Result<(), CliError> {
    let mut command = Command::new("cp");
    command.arg("-a").arg(from).arg(to);
    finish(command, "cp").await
}

async fn finish(mut command: Command, program: &str) -> Result<(), CliError> {
    let output = command.stdin(Stdio::null()).output().await?;
    if output.status.success() {
        return Ok(());
    }
    let errors = String::from_utf8_lossy(&output.stderr);
    let last = errors.lines().last().unwrap_or_default();
    Err(CliError::Failed(format!("{program}: {last}")))
}

/// Where a database of the server that runs in `home` is.
pub fn url(home: &Home, database: &str) -> Result<String, CliError> {
    let found = running(&home.cluster(), database);
    found.ok_or_else(|| CliError::Failed("the private PostgreSQL does not run".to_owned()))
}
