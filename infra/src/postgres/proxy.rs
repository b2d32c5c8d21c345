//! What Lethe needs of a transaction-pooling proxy, looked at before anything is served through it.

use std::time::Duration;

use tokio_postgres::error::SqlState;

use super::{ConnectOptions, DatabaseUrl, PgError, connect_one};

const READ_SESSION: &str = include_str!("read_session.sql");
const READ_PROCESS: &str = "select pg_backend_pid()";
/// Sessions that are held open so that one of them takes the server that another has used.
const OTHERS: usize = 3;
/// A proxy with fewer servers than sessions lets one wait.
const WAIT: Duration = Duration::from_secs(2);

/// Refuses a proxy that loses prepared statements, and sessions without the role and the limits that
/// Lethe cannot send through it.
///
/// # Errors
/// `ProxyLosesStatements`, `ProxySettings`; the server is not reached.
pub(super) async fn check(url: &DatabaseUrl, options: &ConnectOptions) -> Result<(), PgError> {
    check_settings(url, options).await?;
    check_statements(url, options).await
}

async fn check_settings(url: &DatabaseUrl, options: &ConnectOptions) -> Result<(), PgError> {
    let client = connect_one(url, options).await?;
    // One round trip, which a proxy of any version sends to one server.
    let rows = client.query_typed(READ_SESSION, &[]).await?;
    let [row] = rows.as_slice() else {
        return Err(PgError::Database("the settings of a session were not read".to_owned()));
    };
    let (login, database): (String, String) = (row.try_get(0)?, row.try_get(1)?);
    let role: String = row.try_get(2)?;
    let mut wanted = Vec::new();
    if let Some(needed) = options.role.filter(|needed| *needed != role) {
        wanted.push(("role", needed.to_owned()));
    }
    let limits = [
        ("statement_timeout", options.statement_timeout),
        ("lock_timeout", options.lock_timeout),
        ("idle_in_transaction_session_timeout", options.idle_in_transaction_timeout),
    ];
    for (column, (name, limit)) in (3..).zip(limits) {
        let milliseconds: i64 = row.try_get(column)?;
        let is_set =
            u128::try_from(milliseconds).is_ok_and(|is| (1..=limit.as_millis()).contains(&is));
        if !limit.is_zero() && !is_set {
            wanted.push((name, format!("{}ms", limit.as_millis())));
        }
    }
    if row.try_get::<_, String>(6)? != "off" {
        wanted.push(("jit", "off".to_owned()));
    }
    if wanted.is_empty() {
        return Ok(());
    }
    let quoted = |name: &str| name.replace('"', "\"\"");
    let (login, database) = (quoted(&login), quoted(&database));
    let statement = |(name, value): &(&str, String)| {
        format!("alter role \"{login}\" in database \"{database}\" set {name} = '{value}';")
    };
    let statements: Vec<String> = wanted.iter().map(statement).collect();
    Err(PgError::ProxySettings { statements: statements.join(" ") })
}

/// Prepares a statement, and executes it once another session has taken its server. A proxy that keeps
/// statements prepares it again on another server.
async fn check_statements(url: &DatabaseUrl, options: &ConnectOptions) -> Result<(), PgError> {
    let keeper = connect_one(url, options).await?;
    let statement = keeper.prepare(READ_PROCESS).await?;
    let first = keeper.query_one(&statement, &[]).await.map_err(lost)?;
    let process: i32 = first.try_get(0)?;
    let mut others = Vec::new();
    while others.len() < OTHERS {
        let other = connect_one(url, options).await?;
        let Ok(begun) = tokio::time::timeout(WAIT, other.batch_execute("begin")).await else {
            break;
        };
        begun?;
        let rows = other.query_typed(READ_PROCESS, &[]).await?;
        let taken = rows.first().map(|row| row.try_get::<_, i32>(0)).transpose()?;
        others.push(other);
        if taken == Some(process) {
            break;
        }
    }
    match tokio::time::timeout(WAIT, keeper.query_one(&statement, &[])).await {
        Ok(answer) => answer.map(drop).map_err(lost),
        // Every server of the proxy is taken: requests will show it.
        Err(_) => Ok(()),
    }
}

fn lost(error: tokio_postgres::Error) -> PgError {
    if error.code() == Some(&SqlState::INVALID_SQL_STATEMENT_NAME) {
        PgError::ProxyLosesStatements
    } else {
        error.into()
    }
}
