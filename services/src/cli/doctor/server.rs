//! The databases: what keeps a commit, who can listen, and how full things are.

use infra::backup::left_databases;
use infra::postgres::{ConnectOptions, DatabaseUrl, connect_one};
use tokio_postgres::Row;

use super::Findings;
use crate::cli::CliError;
use crate::config::Config;
use crate::databases::Databases;

const SERVER: &str = include_str!("server.sql");

pub async fn look(
    config: &Config,
    databases: &Databases,
    findings: &mut Findings,
) -> Result<(), CliError> {
    let log = ask(&databases.direct).await?;
    let keyring = ask(&databases.keyring).await?;
    for (name, facts) in [("the events' database", &log), ("the keyring's database", &keyring)] {
        server(name, facts, findings);
    }
    for left in left_databases(&databases.direct).await.map_err(CliError::failed)? {
        findings.wrong(&format!(
            "the database {left} was left by `lethe restore`, and no erasure reaches it: drop it"
        ));
    }
    findings.judge(
        (&log.system, &log.database) != (&keyring.system, &keyring.database),
        "events and keys are in separate databases",
        "events and keys are in one database: a dump of it holds both",
    );
    if log.system == keyring.system {
        findings.note("one server holds events and keys: dump and restore them separately");
    }
    match &config.smtp_url {
        Some(_) => findings.well("mails are sent by SMTP (no connection was tried)"),
        None => findings.note("mails are written into a folder, not sent: set smtp_url"),
    }
    let warnings = config.network_warnings();
    if warnings.is_empty() {
        findings.well("the API is reached on this machine, or through a proxy with TLS");
    }
    for warning in &warnings {
        findings.wrong(warning);
    }
    Ok(())
}

/// What a server says of itself.
struct ServerFacts {
    version: String,
    fsync: bool,
    checksums: bool,
    /// On this machine, or under TLS.
    private: bool,
    system: i64,
    database: String,
}

async fn ask(url: &DatabaseUrl) -> Result<ServerFacts, CliError> {
    let client = connect_one(url, &ConnectOptions::default()).await?;
    let row = client.query_one(SERVER, &[]).await;
    read(&row.map_err(infra::postgres::PgError::from)?)
        .map_err(|error| CliError::failed(infra::postgres::PgError::from(error)))
}

fn read(row: &Row) -> Result<ServerFacts, tokio_postgres::Error> {
    Ok(ServerFacts {
        version: row.try_get(0)?,
        fsync: row.try_get(1)?,
        checksums: row.try_get(2)?,
        private: row.try_get(3)?,
        system: row.try_get(4)?,
        database: row.try_get(5)?,
    })
}

fn server(name: &str, facts: &ServerFacts, findings: &mut Findings) {
    findings.judge(
        facts.fsync,
        &format!("{name}: PostgreSQL {}, fsync is on", facts.version),
        &format!("{name}: fsync is off, so a crash of the machine loses commits"),
    );
    if !facts.checksums {
        findings.note(&format!("{name}: pages have no checksums"));
    }
    findings.judge(
        facts.private,
        &format!("{name}: the connection is local or uses TLS"),
        &format!("{name}: the connection leaves this machine without TLS"),
    );
}
