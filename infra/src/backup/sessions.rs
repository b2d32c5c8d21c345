//! Who is connected to a database that is to get another name. PostgreSQL renames and drops none that is in use.
//! A worker of its own, which has no user, it ends itself then; a role without superuser may not, and does not see
//! what it is.

use tokio_postgres::Client;

use super::BackupError;

const LIST: &str = include_str!("list_sessions.sql");
const END: &str = "select pg_terminate_backend(pid) from pg_stat_activity
where datname = any($1) and pid <> pg_backend_pid() and usesysid is not null";

/// Refuses sessions that this role may not end: a restore would fail at its last step.
pub(super) async fn refuse_lasting(admin: &Client, database: &str) -> Result<(), BackupError> {
    let lasting = list(admin, database, |may_end| !may_end).await?;
    if lasting.is_empty() { Ok(()) } else { Err(BackupError::InUse(lasting.join(", "))) }
}

/// Every session.
pub(super) async fn all(admin: &Client, databases: &[&str]) -> Result<Vec<String>, BackupError> {
    let mut all = Vec::new();
    for database in databases {
        all.extend(list(admin, database, |_| true).await?);
    }
    Ok(all)
}

async fn list(
    admin: &Client,
    database: &str,
    wanted: impl Fn(bool) -> bool,
) -> Result<Vec<String>, BackupError> {
    let mut sessions = Vec::new();
    for row in admin.query(LIST, &[&database]).await? {
        if wanted(row.try_get("may_end")?) {
            sessions.push(row.try_get("session")?);
        }
    }
    Ok(sessions)
}

/// Ends the sessions: no node is among them, and one of a pooling proxy or of somebody who looks would keep the
/// database in use.
pub(super) async fn end(admin: &Client, databases: &[&str]) -> Result<(), BackupError> {
    admin.query(END, &[&databases]).await?;
    Ok(())
}
